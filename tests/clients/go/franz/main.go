// Produces to, consumes from and administers a server with franz-go.
//
//	franz BOOTSTRAP PREFIX
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const partitions, records = 3, 300

var ctx, stop = context.WithTimeout(context.Background(), 90*time.Second)

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func client(bootstrap string, options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	must("client", err)
	return made
}

func main() {
	defer stop()
	bootstrap, prefix := os.Args[1], os.Args[2]
	topic, group := prefix+"-franz", prefix+"-franz-group"
	plain := client(bootstrap)
	defer plain.Close()
	admin := kadm.NewClient(plain)
	created, err := admin.CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": kadm.StringPtr("60000")}, topic)
	must("create", err)
	fmt.Println("created with", created.NumPartitions, "partitions")
	_, err = admin.CreateTopic(ctx, 1, 1, nil, topic)
	fmt.Println("the same topic again:", err)

	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for _, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		produce(bootstrap, topic, name, codecs[name])
	}
	consume(bootstrap, topic, group)
	consume(bootstrap, topic, group+"-next", kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	nextGeneration(admin, group+"-next")
	administer(admin, topic, group)
	exactlyOnce(bootstrap, admin, prefix)
}

func produce(bootstrap, topic, name string, codec kgo.CompressionCodec) {
	producer := client(bootstrap, kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	defer producer.Close()
	var all []*kgo.Record
	for number := range records / 5 {
		all = append(all, &kgo.Record{
			Key:     fmt.Appendf(nil, "key-%d", number%7),
			Value:   fmt.Appendf(nil, "%s-%d", name, number),
			Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(name)}},
		})
	}
	results := producer.ProduceSync(ctx, all...)
	must("produce", results.FirstErr())
	last := map[int32]int64{}
	for _, result := range results {
		last[result.Record.Partition] = max(last[result.Record.Partition], result.Record.Offset)
	}
	fmt.Println(name, "stored up to", last)
}

func consume(bootstrap, topic, group string, options ...kgo.Opt) {
	consumer := client(bootstrap, append(options, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	defer consumer.Close()
	values := map[string]int{}
	for read := 0; read < records; {
		fetches := consumer.PollFetches(ctx)
		must("poll", fetches.Err0())
		fetches.EachRecord(func(record *kgo.Record) {
			values[string(record.Value)]++
			read++
		})
		must("commit", consumer.CommitUncommittedOffsets(ctx))
	}
	fmt.Println(len(values), "different values read")
	_, generation := consumer.GroupMetadata()
	fmt.Println("a member:", generation >= 0)
}

// nextGeneration shows a group of the new protocol (KIP-848) that is empty again, and deletes it.
func nextGeneration(admin *kadm.Client, group string) {
	described, err := admin.DescribeConsumerGroups(ctx, group)
	must("describe", err)
	fmt.Println("new protocol:", described[group].State, described[group].AssignorName, len(described[group].Members))
	listed, err := admin.ListGroupsByType(ctx, []string{"consumer"})
	must("list", err)
	fmt.Println("listed:", listed[group].State)
	_, err = admin.DeleteGroup(ctx, group)
	must("delete group", err)
}

func administer(admin *kadm.Client, topic, group string) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	must("end offsets", err)
	total := int64(0)
	ends.Each(func(offset kadm.ListedOffset) { total += offset.Offset })
	fmt.Println("end offsets together:", total)
	lag, err := admin.Lag(ctx, group)
	must("lag", err)
	fmt.Println("group", lag[group].State, "lag", lag[group].Lag.Total())
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	must("configs", err)
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" {
			fmt.Println(config.Key, "=", config.MaybeValue(), config.Source)
		}
	}
	_, err = admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: kadm.StringPtr("70000")}}, topic)
	must("alter", err)
	_, err = admin.CreatePartitions(ctx, 1, topic)
	must("partitions", err)
	_, err = admin.DeleteGroup(ctx, group)
	must("delete group", err)
	_, err = admin.DeleteTopic(ctx, topic)
	must("delete topic", err)
	_, err = admin.DeleteTopic(ctx, topic+"-absent")
	fmt.Println("deleting what is not there:", err == kerr.UnknownTopicOrPartition)
}

// exactlyOnce copies a topic in transactions, some of them aborted, and counts what a reader of committed records sees.
func exactlyOnce(bootstrap string, admin *kadm.Client, prefix string) {
	source, target, group := prefix+"-franz-in", prefix+"-franz-out", prefix+"-franz-copier"
	_, err := admin.CreateTopics(ctx, 1, 1, nil, source, target)
	must("create", err)
	filler := client(bootstrap, kgo.DefaultProduceTopic(source))
	for number := range 100 {
		filler.Produce(ctx, kgo.StringRecord(fmt.Sprint(number)), nil)
	}
	must("fill", filler.Flush(ctx))
	filler.Close()

	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(group), kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(source), kgo.DefaultProduceTopic(target), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must("session", err)
	for copied, round := 0, 0; copied < 100; round++ {
		fetches := session.PollRecords(ctx, 10)
		must("poll", fetches.Err0())
		must("begin", session.Begin())
		fetches.EachRecord(func(record *kgo.Record) {
			session.Produce(ctx, kgo.SliceRecord(record.Value), nil)
		})
		committed, err := session.End(ctx, kgo.TransactionEndTry(round%3 != 1))
		must("end", err)
		if committed {
			copied += fetches.NumRecords()
		}
	}
	session.Close()

	reader := client(bootstrap, kgo.ConsumeTopics(target), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	values := map[string]int{}
	for len(values) < 100 {
		fetches := reader.PollFetches(ctx)
		must("poll", fetches.Err0())
		fetches.EachRecord(func(record *kgo.Record) { values[string(record.Value)]++ })
	}
	twice := 0
	for _, count := range values {
		twice += count - 1
	}
	fmt.Println(len(values), "records copied,", twice, "twice")
}
