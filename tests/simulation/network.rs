//! Connections: bytes arrive in order and late, or not at all.
//!
//! Each direction of a connection keeps its order. A connection that was cut may leave requests behind that the broker had
//! already received: some of them it still carries out, and nobody gets the answers. One that fell silent does not end until
//! somebody gives it up. Never looks into a request or an answer.

use std::collections::VecDeque;

use continuous_producer::kafka::client::ConnectionId;
use continuous_producer::kafka::config::HostPort;
use continuous_producer::kafka::wire::frame::RequestFrame;

use crate::cluster::{Door, Node};
use crate::sasl::Standing;
use crate::time::{MS, Micros, SECOND};
use crate::world::{Happening, World};

/// What the link's own time limit would say.
const CONNECT_TIMEOUT: Micros = 10 * SECOND;
/// When a connection that carries nothing is noticed, if nobody gives it up before: 60 s of idleness and six probes.
const KEEPALIVE: Micros = 120 * SECOND;

/// The broker's end of a connection, and the way between both ends.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: i32,
    /// Both ends think that it stands.
    pub(crate) up: bool,
    /// Nothing arrives any more, in either direction.
    pub(crate) silent: bool,
    /// The broker does not read until then.
    pub(crate) blocked_until: Micros,
    /// Of a connection that is cut: requests that the broker still carries out.
    zombies: usize,
    to_broker_at: Micros,
    pub(crate) to_owner_at: Micros,
    pub(crate) inbox: VecDeque<Vec<u8>>,
    /// Answers owed, in order.
    slots: VecDeque<(u64, Option<Answer>)>,
    next_slot: u64,
    pub(crate) standing: Standing,
    /// When the last handshake came.
    pub(crate) handshake_at: Option<Micros>,
}

/// What goes back to the owner of a connection.
#[derive(Debug)]
pub(crate) enum Answer {
    Frame(Vec<u8>),
    /// The connection ends in its place.
    Cut(&'static str),
    /// Never.
    Lost,
}

impl World {
    pub(crate) fn connect(&mut self, connection: ConnectionId, address: &HostPort) {
        let delay = self.latency();
        let node = self.resolve(&address.host);
        self.note(|| format!("connect #{connection} to {address}, node {node:?}"));
        let failed = |reason| Happening::ConnectFailed(connection, reason);
        let Some(id) = node else {
            return self.after(delay, failed("connect refused: nobody is there"));
        };
        let node = &self.cluster.nodes[&id];
        if node.door == Door::Hangs {
            return self.after(CONNECT_TIMEOUT, failed("connect timed out"));
        }
        if !node.is_alive() || node.door == Door::Refuses {
            return self.after(delay, failed("connect refused"));
        }
        self.connections.insert(
            connection,
            Connection {
                node: id,
                up: true,
                silent: false,
                blocked_until: 0,
                zombies: 0,
                to_broker_at: 0,
                to_owner_at: 0,
                inbox: VecDeque::new(),
                slots: VecDeque::new(),
                next_slot: 0,
                standing: Standing::Stranger,
                handshake_at: None,
            },
        );
        self.deliver(connection, Happening::Connected(connection));
    }

    /// A broker's name leads to that broker; any other is a door to all of them.
    fn resolve(&mut self, host: &str) -> Option<i32> {
        if host.starts_with("boot-") {
            let doors = self.cluster.doors();
            return self.rng.choice(doors);
        }
        let named = self
            .cluster
            .nodes
            .iter()
            .find(|(_, node)| node.host == host);
        named.map(|(&id, _)| id)
    }

    pub(crate) fn latency(&mut self) -> Micros {
        let (least, most) = self.plan.latency;
        let spike = !self.calm && self.rng.u8(0..100) == 0;
        self.rng.u64(least..=most) + if spike { self.rng.u64(0..SECOND) } else { 0 }
    }

    fn deliver(&mut self, id: ConnectionId, what: Happening) {
        let delay = self.latency();
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.to_owner_at = connection.to_owner_at.max(self.now + delay);
        let at = connection.to_owner_at;
        self.at(at, what);
    }

    /// The owner writes a request.
    pub(crate) fn send(&mut self, id: ConnectionId, frame: &RequestFrame) {
        let correlation = frame.correlation_id;
        let mut bytes = Vec::with_capacity(frame.len());
        for slice in frame.slices() {
            bytes.extend_from_slice(slice);
        }
        assert_eq!(bytes.len(), frame.len(), "a frame's length");
        self.wire.sent(id, frame, &bytes, self.instant());
        let delay = self.latency();
        let written = self.rng.u64(0..MS);
        let Some(connection) = self.connections.get_mut(&id).filter(|c| c.up) else {
            return;
        };
        // What a broker does not read fills the buffers on the way, and then blocks the writer.
        let begin = self.now.max(connection.blocked_until);
        connection.to_broker_at = connection.to_broker_at.max(begin + delay);
        let (silent, arrives) = (connection.silent, connection.to_broker_at);
        self.at(begin + written, Happening::Written(id, correlation));
        if !silent {
            self.at(arrives, Happening::Arrive(id, bytes));
        }
    }

    pub(crate) fn arrive(&mut self, id: ConnectionId, bytes: Vec<u8>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.inbox.push_back(bytes);
            self.pump(id);
        }
    }

    /// The broker takes up what it may take up.
    pub(crate) fn pump(&mut self, id: ConnectionId) {
        while let Some(connection) = self.connections.get_mut(&id) {
            let works = self
                .cluster
                .nodes
                .get(&connection.node)
                .is_some_and(Node::works);
            let muted = !self.plan.pipelined && !connection.slots.is_empty();
            if muted && !connection.up {
                // What waits on the socket behind a request goes with the connection.
                connection.inbox.clear();
            }
            if !works || muted {
                return;
            }
            let Some(bytes) = connection.inbox.pop_front() else {
                return;
            };
            if !connection.up {
                if connection.zombies == 0 {
                    connection.inbox.clear();
                    return;
                }
                connection.zombies -= 1;
            }
            self.handle(id, &bytes);
        }
    }

    /// An answer is owed from now on.
    pub(crate) fn owe(&mut self, id: ConnectionId) -> u64 {
        let Some(connection) = self.connections.get_mut(&id) else {
            return 0;
        };
        connection.next_slot += 1;
        let slot = connection.next_slot;
        connection.slots.push_back((slot, None));
        slot
    }

    /// The answer that was owed. It leaves when those before it have.
    pub(crate) fn pay(&mut self, id: ConnectionId, slot: u64, answer: Answer) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if let Some(owed) = connection.slots.iter_mut().find(|(s, _)| *s == slot) {
            owed.1 = Some(answer);
        }
        while let Some(connection) = self.connections.get_mut(&id)
            && let Some((_, Some(_))) = connection.slots.front()
        {
            let answer = connection.slots.pop_front().and_then(|(_, answer)| answer);
            let reaches = connection.up && !connection.silent;
            match answer {
                Some(Answer::Frame(frame)) if reaches => {
                    self.deliver(id, Happening::Frame(id, frame));
                }
                Some(Answer::Cut(reason)) => self.cut(id, reason),
                Some(Answer::Lost) => self.silence(id),
                _ => {}
            }
        }
        self.pump(id);
    }

    /// The connection ends, and the owner learns of it.
    pub(crate) fn cut(&mut self, id: ConnectionId, reason: &'static str) {
        let left = self.left_behind();
        let Some(connection) = self.connections.get_mut(&id).filter(|c| c.up) else {
            return;
        };
        connection.up = false;
        connection.zombies = left;
        let silent = connection.silent;
        self.note(|| format!("cut #{id}: {reason}"));
        if !silent {
            self.deliver(id, Happening::Closed(id, reason));
        }
    }

    /// The connection carries nothing any more. The owner's system notices that in the end (TCP keepalive).
    pub(crate) fn silence(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| c.up && !c.silent) else {
            return;
        };
        connection.silent = true;
        self.note(|| format!("#{id} falls silent"));
        self.after(KEEPALIVE, Happening::Closed(id, "connection timed out"));
    }

    /// The owner closes the connection.
    pub(crate) fn hang_up(&mut self, id: ConnectionId) {
        self.note(|| format!("client closes #{id}"));
        let left = self.left_behind();
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.up = false;
            connection.zombies = left;
        }
    }

    /// How many requests of an ended connection the broker still carries out: it has taken them off the socket already. Apache
    /// Kafka takes one at a time (`SocketServer` mutes the channel).
    fn left_behind(&mut self) -> usize {
        let most = if self.plan.pipelined { 4 } else { 1 };
        self.rng.usize(0..=most)
    }

    /// Connections that stand, in order.
    pub(crate) fn standing_connections(&self) -> Vec<ConnectionId> {
        let up = self.connections.iter().filter(|(_, c)| c.up);
        up.map(|(&id, _)| id).collect()
    }
}

impl Connection {
    /// The broker is no more, and with it all that it had been asked.
    pub(crate) fn forget(&mut self) {
        self.zombies = 0;
        self.inbox.clear();
        self.slots.clear();
    }
}
