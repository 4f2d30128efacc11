package stream

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/consumer"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/joingroup"
	"github.com/segmentio/kafka-go/protocol/leavegroup"
	"github.com/segmentio/kafka-go/protocol/syncgroup"
)

// The versions of the group's requests. The Client of kafka-go would negotiate later ones, of which it reads
// and writes some in another way than Kafka does (arrays of the flexible versions, the order of a
// heartbeat's answer); these are right, and Kafka 2.2 to 4 speak them.
const (
	joinVersion      = 4
	syncVersion      = 2
	heartbeatVersion = 0
	leaveVersion     = 0
	consumerProtocol = "consumer" // so that Kafka's own tools can show the group
)

// coordinator speaks with the coordinator of one consumer group, on a connection of its own. It is for
// one goroutine.
type coordinator struct {
	s     *Stream
	group string
	conn  net.Conn
	corr  int32
}

// ask makes one request, which may take so long.
func (c *coordinator) ask(ctx context.Context, limit time.Duration, version int16, req protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.conn == nil {
		found, err := c.s.client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: c.group, KeyType: kafka.CoordinatorKeyTypeConsumer})
		if err == nil {
			err = found.Error
		}
		if err != nil {
			return nil, fmt.Errorf("find the coordinator: %w", err)
		}
		at := found.Coordinator
		if c.conn, err = c.s.dial(ctx, "tcp", net.JoinHostPort(at.Host, strconv.Itoa(at.Port))); err != nil {
			c.conn = nil
			return nil, fmt.Errorf("connect to the coordinator: %w", err)
		}
	}
	conn := c.conn
	err := conn.SetDeadline(time.Now().Add(limit))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var answer protocol.Message
	if err == nil {
		c.corr++
		answer, err = protocol.RoundTrip(conn, version, c.corr, clientID, req)
	}
	if err != nil {
		c.close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return answer, nil
}

// verdict returns an error code as an error. When the coordinator is another one, it is looked for anew.
func (c *coordinator) verdict(code int16) error {
	if code == 0 {
		return nil
	}
	err := kafka.Error(code)
	if transient(err) {
		c.close()
	}
	return err
}

func (c *coordinator) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is waiting on it
		c.conn = nil
	}
}

// join returns when every member has joined. On MemberIDRequired the answer has the id to come again with.
func (c *coordinator) join(ctx context.Context, member, topic string, data []byte) (*joingroup.Response, error) {
	meta, err := protocol.Marshal(consumer.MaxVersionSupported, consumer.Subscription{
		Version: consumer.MaxVersionSupported, Topics: []string{topic}, UserData: data, OwnedPartitions: []consumer.TopicPartition{},
	})
	if err != nil {
		return nil, err
	}
	session := c.s.cfg.SessionTimeout
	answer, err := c.ask(ctx, session+requestTimeout, joinVersion, &joingroup.Request{
		GroupID: c.group, MemberID: member, ProtocolType: consumerProtocol,
		SessionTimeoutMS: int32(session.Milliseconds()), RebalanceTimeoutMS: int32(session.Milliseconds()), //nolint:gosec // at most an hour
		Protocols: []joingroup.RequestProtocol{{Name: balancerName, Metadata: meta}},
	})
	if err != nil {
		return nil, err
	}
	res, ok := answer.(*joingroup.Response)
	if !ok {
		return nil, fmt.Errorf("an answer of kind %T", answer)
	}
	return res, c.verdict(res.ErrorCode)
}

// share is what one member gets, and what all are told.
type share struct {
	shards []int
	data   []byte
}

// sync hands the leader's shares out, by member, and returns our own.
func (c *coordinator) sync(ctx context.Context, member string, generation int32, topic string, shares map[string]share) (share, error) {
	req := &syncgroup.Request{GroupID: c.group, GenerationID: generation, MemberID: member, Assignments: []syncgroup.RequestAssignment{}}
	for id, sh := range shares {
		partitions := make([]int32, 0, len(sh.shards))
		for _, n := range sh.shards {
			partitions = append(partitions, int32(n)) //nolint:gosec // at most 1000
		}
		data, err := protocol.Marshal(consumer.MaxVersionSupported, consumer.Assignment{
			Version: consumer.MaxVersionSupported, UserData: sh.data,
			AssignedPartitions: []consumer.TopicPartition{{Topic: topic, Partitions: partitions}},
		})
		if err != nil {
			return share{}, err
		}
		req.Assignments = append(req.Assignments, syncgroup.RequestAssignment{MemberID: id, Assignment: data})
	}
	answer, err := c.ask(ctx, c.s.cfg.SessionTimeout+requestTimeout, syncVersion, req)
	if err != nil {
		return share{}, err
	}
	res, ok := answer.(*syncgroup.Response)
	if !ok {
		return share{}, fmt.Errorf("an answer of kind %T", answer)
	}
	if err := c.verdict(res.ErrorCode); err != nil {
		return share{}, err
	}
	var got consumer.Assignment
	if err := protocol.Unmarshal(res.Assignments, consumer.MaxVersionSupported, &got); err != nil {
		return share{}, fmt.Errorf("read the assignment: %w", err)
	}
	mine := share{data: got.UserData}
	for _, t := range got.AssignedPartitions {
		for _, p := range t.Partitions {
			if t.Topic == topic {
				mine.shards = append(mine.shards, int(p))
			}
		}
	}
	return mine, nil
}

// heartbeat returns nil when the member is one of this generation still.
func (c *coordinator) heartbeat(ctx context.Context, member string, generation int32) error {
	answer, err := c.ask(ctx, min(requestTimeout, c.s.cfg.SessionTimeout), heartbeatVersion,
		&heartbeat.Request{GroupID: c.group, GenerationID: generation, MemberID: member})
	if err != nil {
		return err
	}
	res, ok := answer.(*heartbeat.Response)
	if !ok {
		return fmt.Errorf("an answer of kind %T", answer)
	}
	return c.verdict(res.ErrorCode)
}

func (c *coordinator) leave(ctx context.Context, member string) error {
	answer, err := c.ask(ctx, leaveTimeout, leaveVersion, &leavegroup.Request{GroupID: c.group, MemberID: member})
	if err != nil {
		return err
	}
	res, ok := answer.(*leavegroup.Response)
	if !ok {
		return fmt.Errorf("an answer of kind %T", answer)
	}
	return c.verdict(res.ErrorCode)
}
