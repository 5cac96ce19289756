// franz-go, at its best.
//
// It is idempotent with acks=all by itself. What is set beside it, and why: it lingers and batches as the program does, and
// may buffer so much that the sending goroutine does not wait for a full buffer while the broker keeps up.
package main

import (
	"context"
	"log"
	"sync/atomic"
	"time"

	"benches/payload"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	linger      = 5 * time.Millisecond
	batchBytes  = 1_000_000
	bufferedMax = 200_000
)

func main() {
	job := payload.FromArguments()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(job.Bootstrap),
		kgo.DefaultProduceTopic(job.Topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(linger),
		kgo.ProducerBatchMaxBytes(batchBytes),
		kgo.MaxBufferedRecords(bufferedMax),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	if err := client.Ping(ctx); err != nil {
		log.Fatal(err)
	}
	keys, value := payload.Keys(), payload.Value()
	var acknowledged atomic.Int64
	var failure atomic.Pointer[error]
	settle := func(_ *kgo.Record, err error) {
		if err != nil {
			failure.Store(&err)
			return
		}
		acknowledged.Add(1)
	}
	begun := time.Now()
	sent := job.Each(func(n int) {
		client.Produce(ctx, &kgo.Record{Key: keys[n%len(keys)], Value: value}, settle)
	})
	err = client.Flush(ctx)
	elapsed := time.Since(begun)
	if failed := failure.Load(); failed != nil {
		err = *failed
	}
	payload.Done(sent, int(acknowledged.Load()), err, elapsed)
}
