// Asks a server what others ask seldom with kafka-go: single fetches, rules, users, places of partitions.
//
//	kafkago BOOTSTRAP PREFIX
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

func must(what string, err error) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
}

func main() {
	topic := os.Args[2] + "-kafkago"
	client := &kafka.Client{Addr: kafka.TCP(os.Args[1]), Timeout: 20 * time.Second}
	ctx := context.Background()

	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}},
	})
	must("create", err)
	must("create", created.Errors[topic])
	// The leader may not be known at once.
	for attempt := 0; ; attempt++ {
		_, err = client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(
				kafka.Record{Key: kafka.NewBytes([]byte("a")), Value: kafka.NewBytes([]byte("1"))},
				kafka.Record{Key: kafka.NewBytes([]byte("b")), Value: kafka.NewBytes([]byte("2"))},
			),
		})
		if err == nil || attempt == 20 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	must("produce", err)
	for _, offset := range []int64{0, 1, 2, 9} {
		fetch(ctx, client, topic, offset)
	}
	access(ctx, client)
	places(ctx, client, topic)
	_, err = client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	must("delete", err)
}

func fetch(ctx context.Context, client *kafka.Client, topic string, offset int64) {
	answer, err := client.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Offset: offset, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 100 * time.Millisecond,
	})
	must("fetch", err)
	fmt.Printf("fetch from %d: error %v, high watermark %d\n", offset, answer.Error, answer.HighWatermark)
	for answer.Error == nil {
		record, err := answer.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		must("read", err)
		key, err := kafka.ReadAll(record.Key)
		must("read", err)
		fmt.Printf("  %d %s\n", record.Offset, key)
	}
}

func access(ctx context.Context, client *kafka.Client) {
	made, err := client.CreateACLs(ctx, &kafka.CreateACLsRequest{ACLs: []kafka.ACLEntry{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: "x", ResourcePatternType: kafka.PatternTypeLiteral,
		Principal: "User:x", Host: "*", Operation: kafka.ACLOperationTypeRead, PermissionType: kafka.ACLPermissionTypeAllow,
	}}})
	must("create rules", err)
	fmt.Println("a rule without access control:", errors.Is(made.Errors[0], kafka.SecurityDisabled))
	told, err := client.DescribeUserScramCredentials(ctx, &kafka.DescribeUserScramCredentialsRequest{
		Users: []kafka.UserScramCredentialsUser{{Name: "nobody"}},
	})
	must("describe users", err)
	for _, one := range told.Results {
		fmt.Println("user", one.User, errors.Is(one.Error, kafka.ResourceNotFound))
	}
}

func places(ctx context.Context, client *kafka.Client, topic string) {
	moved, err := client.AlterPartitionReassignments(ctx, &kafka.AlterPartitionReassignmentsRequest{
		Topic: topic, Timeout: 10 * time.Second, Assignments: []kafka.AlterPartitionReassignmentsRequestAssignment{
			{PartitionID: 0, BrokerIDs: []int{1}}, {PartitionID: 9, BrokerIDs: []int{1}},
		},
	})
	must("reassign", err)
	for _, one := range moved.PartitionResults {
		fmt.Println("reassign", one.PartitionID, one.Error)
	}
	quotas, err := client.DescribeClientQuotas(ctx, &kafka.DescribeClientQuotasRequest{
		Components: []kafka.DescribeClientQuotasRequestComponent{{EntityType: "user", MatchType: 2}},
	})
	must("quotas", err)
	fmt.Println("quotas", len(quotas.Entries), quotas.Error)
}
