//! What the fuzzer's bytes mean: bytes, numbers, edits. Where they end, all that follows is 0.

/// A cursor over the fuzzer's bytes.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&byte, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        byte
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// As many bytes as the next byte says, or as there are.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        bytes
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// A sound frame after up to seven edits.
    pub fn edited(&mut self, mut frame: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.byte() % 8 {
            let at = usize::from(self.u16()) % (frame.len() + 1);
            match self.byte() % 4 {
                0 => frame.truncate(at),
                1 => drop(frame.splice(at..at, self.bytes().iter().copied())),
                2 => {
                    let bytes = self.bytes();
                    let to = (at + bytes.len()).min(frame.len());
                    drop(frame.splice(at..to, bytes.iter().copied()));
                }
                _ => {
                    let to = (at + usize::from(self.byte())).min(frame.len());
                    frame.drain(at..to);
                }
            }
        }
        frame
    }
}
