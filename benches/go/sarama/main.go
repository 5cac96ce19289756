// Sarama's AsyncProducer, at its best.
//
// What is set beside acks=all and idempotence, and why: one open request, without which Sarama refuses idempotence; flushed
// after 5 ms or 1 MB, as the program does; larger channels, so that its goroutines change hands less often.
package main

import (
	"log"
	"time"

	"benches/payload"

	"github.com/IBM/sarama"
)

const (
	linger     = 5 * time.Millisecond
	batchBytes = 1_000_000
	channel    = 10_000
)

func main() {
	job := payload.FromArguments()
	producer, err := sarama.NewAsyncProducer([]string{job.Bootstrap}, config())
	if err != nil {
		log.Fatal(err)
	}
	keys, value := payload.Keys(), sarama.ByteEncoder(payload.Value())
	acknowledged, settled := 0, make(chan error)
	go func() {
		var failure error
		successes, errors := producer.Successes(), producer.Errors()
		for successes != nil || errors != nil {
			select {
			case _, ok := <-successes:
				if !ok {
					successes = nil
					continue
				}
				acknowledged++
			case failed, ok := <-errors:
				if !ok {
					errors = nil
					continue
				}
				failure = failed
			}
		}
		settled <- failure
	}()
	begun := time.Now()
	input := producer.Input()
	sent := job.Each(func(n int) {
		input <- &sarama.ProducerMessage{Topic: job.Topic, Key: sarama.ByteEncoder(keys[n%len(keys)]), Value: value}
	})
	producer.AsyncClose()
	failure := <-settled
	payload.Done(sent, acknowledged, failure, time.Since(begun))
}

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = linger
	config.Producer.Flush.Bytes = batchBytes
	config.ChannelBufferSize = channel
	return config
}
