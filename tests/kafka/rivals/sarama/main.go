// Sarama's AsyncProducer: one of the rivals' programs.
//
//	producer [-retries N] BOOTSTRAP TOPIC MESSAGES_PER_S LEDGER_FILE
//
// Makes messages until SIGTERM, gives Sarama 30 s to send what is left, and writes the ledger.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/IBM/sarama"
)

const (
	keyBytes     = 36
	valueBytes   = 90
	catchUpMax   = time.Second
	sleepMin     = time.Millisecond
	closeTimeout = 30 * time.Second
)

var filling = strings.Repeat(".", valueBytes-keyBytes)

func main() {
	retries := flag.Int("retries", -1, "Producer.Retry.Max; Sarama's own if negative")
	flag.Parse()
	if flag.NArg() != 4 {
		log.Fatal("producer [-retries N] BOOTSTRAP TOPIC MESSAGES_PER_S LEDGER_FILE")
	}
	messagesPerS, err := strconv.Atoi(flag.Arg(2))
	if err != nil || messagesPerS < 1 {
		log.Fatalf("not a number of messages a second: %s", flag.Arg(2))
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	producer, err := sarama.NewAsyncProducer(strings.Split(flag.Arg(0), ","), config(*retries))
	if err != nil {
		log.Fatal(err)
	}
	ledger := newLedger()
	settled := make(chan struct{})
	go settle(producer, ledger, settled)
	produce(producer, flag.Arg(1), time.Second/time.Duration(messagesPerS), ledger, stop)
	ledger.waitEnded()
	producer.AsyncClose()
	select {
	case <-settled:
	case <-time.After(closeTimeout):
	}
	if err := ledger.write(flag.Arg(3)); err != nil {
		log.Fatal(err)
	}
}

func config(retries int) *sarama.Config {
	config := sarama.NewConfig()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	// Sarama refuses idempotence with more.
	config.Net.MaxOpenRequests = 1
	// Without it nobody knows what was acknowledged.
	config.Producer.Return.Successes = true
	if retries >= 0 {
		config.Producer.Retry.Max = retries
	}
	return config
}

// produce makes messages until the stop. It blocks while Sarama does.
func produce(producer sarama.AsyncProducer, topic string, interval time.Duration, ledger *ledger,
	stop <-chan os.Signal) {
	due := time.Now()
	for {
		now := time.Now()
		if oldest := now.Add(-catchUpMax); due.Before(oldest) {
			due = oldest
		}
		for ; !due.After(now); due = due.Add(interval) {
			message := newMessage(topic, ledger.make())
			select {
			case producer.Input() <- message:
			case <-stop:
				offerOnceMore(producer, ledger, message)
				return
			}
		}
		select {
		case <-time.After(max(time.Until(due), sleepMin)):
		case <-stop:
			return
		}
	}
}

// offerOnceMore is for a message whose maker was stopped, perhaps just when there was room for it.
func offerOnceMore(producer sarama.AsyncProducer, ledger *ledger, message *sarama.ProducerMessage) {
	select {
	case producer.Input() <- message:
	default:
		ledger.fail(message, "not taken")
	}
}

func newMessage(topic string, number int) *sarama.ProducerMessage {
	key := fmt.Sprintf("%0*d", keyBytes, number)
	return &sarama.ProducerMessage{
		Topic:    topic,
		Key:      sarama.StringEncoder(key),
		Value:    sarama.StringEncoder(key + filling),
		Metadata: number,
	}
}

// settle reads both channels until Sarama has closed them.
func settle(producer sarama.AsyncProducer, ledger *ledger, settled chan<- struct{}) {
	successes, errors := producer.Successes(), producer.Errors()
	for successes != nil || errors != nil {
		select {
		case message, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			ledger.acknowledge(message)
		case failure, ok := <-errors:
			if !ok {
				errors = nil
				continue
			}
			ledger.fail(failure.Msg, failure.Err.Error())
		}
	}
	close(settled)
}
