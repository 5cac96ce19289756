package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

type fate byte

const (
	open fate = iota
	acknowledged
	failed
)

// ledger is what became of each message. Told by who makes them and by who reads Sarama's answers.
type ledger struct {
	mutex   sync.Mutex
	fates   []fate
	reasons map[string]int
	last    time.Time // the last acknowledgement; zero before the first
	stall   time.Duration
}

func newLedger() *ledger {
	return &ledger{reasons: map[string]int{}}
}

func (l *ledger) make() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.fates = append(l.fates, open)
	return len(l.fates) - 1
}

func (l *ledger) acknowledge(message *sarama.ProducerMessage) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.fates[message.Metadata.(int)] = acknowledged
	now := time.Now()
	l.endWait(now)
	l.last = now
}

func (l *ledger) fail(message *sarama.ProducerMessage, reason string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.fates[message.Metadata.(int)] = failed
	l.reasons[strings.ReplaceAll(reason, "\n", " ")]++
}

func (l *ledger) waitEnded() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.endWait(time.Now())
}

// endWait is called with the mutex held.
func (l *ledger) endWait(now time.Time) {
	if !l.last.IsZero() {
		l.stall = max(l.stall, now.Sub(l.last))
	}
}

func (l *ledger) write(name string) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	lines := bufio.NewWriter(file)
	fmt.Fprintf(lines, "generated %d\nstall_ms %d\n", len(l.fates), l.stall.Milliseconds())
	for reason, count := range l.reasons {
		fmt.Fprintf(lines, "reason %d %s\n", count, reason)
	}
	words := map[fate]string{open: "unsent", failed: "failed"}
	for first := 0; first < len(l.fates); {
		end := first + 1
		for end < len(l.fates) && l.fates[end] == l.fates[first] {
			end++
		}
		if word, told := words[l.fates[first]]; told {
			fmt.Fprintf(lines, "%s %d %d\n", word, first, end-1)
		}
		first = end
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	return file.Close()
}
