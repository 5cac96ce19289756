// Package payload is what the contestants written in Go share: what they are asked for, what they send, what they say at
// their end. The same as benches/src/lib.rs.
package payload

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
)

const (
	valueBytes   = 93
	keyCount     = 4096
	clockRecords = 64
)

// Job is what a contestant is asked for.
type Job struct {
	Bootstrap string
	Topic     string
	Duration  time.Duration
}

// FromArguments reads `BOOTSTRAP TOPIC SECONDS`.
func FromArguments() Job {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("three arguments are wanted: BOOTSTRAP TOPIC SECONDS")
	}
	seconds, err := strconv.ParseFloat(os.Args[3], 64)
	if err != nil {
		log.Fatal(err)
	}
	return Job{os.Args[1], os.Args[2], time.Duration(seconds * float64(time.Second))}
}

// Keys are ready-made and sent in turn.
func Keys() [][]byte {
	keys := make([][]byte, keyCount)
	for n := range keys {
		keys[n] = fmt.Appendf(nil, "%08x-0000-4000-8000-%012x", n, n)
	}
	return keys
}

// Value is that of every record.
func Value() []byte {
	return bytes.Repeat([]byte("."), valueBytes)
}

// Each calls send with a number for every record, until the time is over, and returns how many that were.
func (job Job) Each(send func(n int)) int {
	end := time.Now().Add(job.Duration)
	n := 0
	for ; n%clockRecords != 0 || time.Now().Before(end); n++ {
		send(n)
	}
	return n
}

// Done tells what came of it. Whatever was sent and not acknowledged makes it fail.
func Done(sent, acknowledged int, failure error, elapsed time.Duration) {
	if failure != nil || sent != acknowledged {
		log.Fatalf("%d sent, %d acknowledged: %v", sent, acknowledged, failure)
	}
	fmt.Printf("acknowledged %d in %.6f s\n", acknowledged, elapsed.Seconds())
}
