package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"clarionbench/pb"
	"google.golang.org/grpc"
)

// Messages of one call of the streaming measurements, and bytes in each: the same in every client.
const (
	perCall  = 2000
	itemSize = 32
)

type result struct {
	Ops     int     `json:"ops"`
	Seconds float64 `json:"seconds"`
}

type client struct {
	conn     *grpc.ClientConn
	duration time.Duration
}

func (c *client) run(work string) (result, error) {
	switch work {
	case "unary-sequential":
		return c.timed(1, c.hello, 100)
	case "unary-concurrent":
		return c.timed(64, c.hello, 100)
	case "down":
		return c.timed(1, c.down, 1)
	case "window":
		return c.timed(1, c.window, 1)
	case "pingpong-1":
		return c.timed(1, c.pingPong, 1)
	case "pingpong-8":
		return c.timed(8, c.pingPong, 1)
	case "payload-1":
		return c.timed(1, c.payload(1<<20), 1)
	case "payload-64":
		return c.timed(1, c.payload(64<<20), 0)
	}
	return result{}, fmt.Errorf("no such work")
}

// timed has `workers` goroutines repeat step, which returns how many operations it was, until the time is up.
func (c *client) timed(workers int, step func() (int, error), warm int) (result, error) {
	for range warm {
		if _, err := step(); err != nil {
			return result{}, err
		}
	}
	var (
		group sync.WaitGroup
		lock  sync.Mutex
		total int
		fault error
	)
	start := time.Now()
	end := start.Add(c.duration)
	for range workers {
		group.Go(func() {
			done := 0
			for {
				n, err := step()
				done += n
				if err != nil || time.Now().After(end) {
					lock.Lock()
					total += done
					if err != nil {
						fault = err
					}
					lock.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	return result{total, time.Since(start).Seconds()}, fault
}

func (c *client) hello() (int, error) {
	reply := new(pb.HelloResponse)
	request := &pb.HelloRequest{Name: "Alice"}
	return 1, c.conn.Invoke(context.Background(), "/hello.Greeter/SayHello", request, reply)
}

func (c *client) payload(size int) func() (int, error) {
	item := &pb.Item{Payload: make([]byte, size)}
	return func() (int, error) {
		return 1, c.conn.Invoke(context.Background(), "/hello.Bench/Echo", item, new(pb.Item))
	}
}

// drain receives to the end and fails unless exactly perCall messages came.
func drain(stream grpc.ClientStream) (int, error) {
	for got := 0; ; got++ {
		err := stream.RecvMsg(new(pb.Item))
		if err == io.EOF && got == perCall {
			return got, nil
		}
		if err != nil {
			return got, fmt.Errorf("after %d messages: %w", got, err)
		}
	}
}

func (c *client) down() (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &downStream, "/hello.Bench/Down")
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(&pb.Ask{Count: perCall, Size: itemSize}); err != nil {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	return drain(stream)
}

func (c *client) window() (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &talkStream, "/hello.Bench/Talk")
	if err != nil {
		return 0, err
	}
	go func() {
		item := &pb.Item{Payload: make([]byte, itemSize)}
		for range perCall {
			if stream.SendMsg(item) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	return drain(stream)
}

func (c *client) pingPong() (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := c.conn.NewStream(ctx, &talkStream, "/hello.Bench/Talk")
	if err != nil {
		return 0, err
	}
	item := &pb.Item{Payload: make([]byte, itemSize)}
	for n := range perCall / 10 {
		if err := stream.SendMsg(item); err != nil {
			return n, err
		}
		if err := stream.RecvMsg(new(pb.Item)); err != nil {
			return n, err
		}
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	if err := stream.RecvMsg(new(pb.Item)); err != io.EOF {
		return 0, fmt.Errorf("expected the end of the stream, got %v", err)
	}
	return perCall / 10, nil
}
