// Produces to, consumes from and administers a server with sarama.
//
//	sarama BOOTSTRAP PREFIX
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

const partitions, records = 3, 300

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func main() {
	bootstrap, prefix := []string{os.Args[1]}, os.Args[2]
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false

	admin, err := sarama.NewClusterAdmin(bootstrap, config)
	must("admin", err)
	defer admin.Close()
	topic, group := prefix+"-sarama", prefix+"-sarama-group"
	retention := "60000"
	must("create", admin.CreateTopic(topic, &sarama.TopicDetail{
		NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &retention},
	}, false))
	err = admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false)
	fmt.Println("the same topic again:", err.(*sarama.TopicError).Err)

	for _, codec := range []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD,
	} {
		config.Producer.Compression = codec
		produce(bootstrap, config, topic, codec.String())
	}
	consume(bootstrap, config, topic, group)
	administer(admin, topic, group)
	transactions(bootstrap, config, admin, prefix)
}

func produce(bootstrap []string, config *sarama.Config, topic, codec string) {
	producer, err := sarama.NewSyncProducer(bootstrap, config)
	must("producer", err)
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for number := range records / 5 {
		messages = append(messages, &sarama.ProducerMessage{
			Topic:   topic,
			Key:     sarama.StringEncoder(fmt.Sprintf("key-%d", number%7)),
			Value:   sarama.StringEncoder(fmt.Sprintf("%s-%d", codec, number)),
			Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec)}},
		})
	}
	must("send", producer.SendMessages(messages))
	last := map[int32]int64{}
	for _, message := range messages {
		last[message.Partition] = message.Offset
	}
	fmt.Println(codec, "stored up to", last)
}

// reader collects what a group member gets.
type reader struct {
	sync.Mutex
	values map[string]int
	done   context.CancelFunc
}

func (r *reader) Setup(session sarama.ConsumerGroupSession) error {
	fmt.Println("assigned:", len(session.Claims()), "topic")
	return nil
}

func (r *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (r *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		session.MarkMessage(message, "seen")
		r.Lock()
		r.values[string(message.Value)+"/"+string(message.Headers[0].Value)]++
		if len(r.values) == records {
			session.Commit()
			r.done()
		}
		r.Unlock()
	}
	return nil
}

func consume(bootstrap []string, config *sarama.Config, topic, group string) {
	members, err := sarama.NewConsumerGroup(bootstrap, group, config)
	must("group", err)
	ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
	handler := &reader{values: map[string]int{}, done: done}
	for ctx.Err() == nil {
		must("consume", members.Consume(ctx, []string{topic}, handler))
	}
	must("leave", members.Close())
	twice := 0
	for _, count := range handler.values {
		twice += count - 1
	}
	fmt.Println(len(handler.values), "different values read,", twice, "twice")
}

func administer(admin sarama.ClusterAdmin, topic, group string) {
	topics, err := admin.DescribeTopics([]string{topic})
	must("describe", err)
	fmt.Println("partitions:", len(topics[0].Partitions), "internal:", topics[0].IsInternal)
	entries, err := admin.DescribeConfig(sarama.ConfigResource{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"},
	})
	must("config", err)
	for _, entry := range entries {
		fmt.Println(entry.Name, "=", entry.Value)
	}
	groups, err := admin.ListConsumerGroups()
	must("groups", err)
	fmt.Println("group:", groups[group])
	offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0, 1, 2}})
	must("offsets", err)
	var committed []string
	for partition, block := range offsets.Blocks[topic] {
		committed = append(committed, fmt.Sprint(partition, " ", block.Offset, " ", block.Metadata))
	}
	sort.Strings(committed)
	fmt.Println("committed:", committed)
	must("delete group", admin.DeleteConsumerGroup(group))
	must("delete records", admin.DeleteRecords(topic, map[int32]int64{0: 5}))
	must("delete topic", admin.DeleteTopic(topic))
	fmt.Println("deleting what is not there:", admin.DeleteTopic(topic+"-absent"))
}

func transactions(bootstrap []string, config *sarama.Config, admin sarama.ClusterAdmin, prefix string) {
	topic := prefix + "-sarama-transactions"
	must("create", admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1}, false))
	config.Producer.Transaction.ID = prefix + "-sarama"
	producer, err := sarama.NewSyncProducer(bootstrap, config)
	must("transactional producer", err)
	defer producer.Close()
	for _, kept := range []bool{false, true, false, true} {
		must("begin", producer.BeginTxn())
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{
			Topic: topic, Partition: 0, Value: sarama.StringEncoder(fmt.Sprint("kept: ", kept)),
		})
		must("send", err)
		if kept {
			must("commit", producer.CommitTxn())
		} else {
			must("abort", producer.AbortTxn())
		}
	}
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(bootstrap, config)
	must("consumer", err)
	defer consumer.Close()
	count := 0
	claim, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	must("partition", err)
	for quiet := false; !quiet; {
		select {
		case message := <-claim.Messages():
			count++
			fmt.Println("read committed:", message.Offset, string(message.Value))
		case <-time.After(2 * time.Second):
			quiet = true
		}
	}
	must("close", claim.Close())
	fmt.Println(count, "records of committed transactions")
}
