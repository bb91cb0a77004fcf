package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func serve() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.MaxRecvMsgSize(math.MaxInt32), grpc.MaxSendMsgSize(math.MaxInt32),
	)
	server.RegisterService(&greeter, &service{})
	server.RegisterService(&bench, &service{})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Printf("PORT %d\n", listener.Addr().(*net.TCPAddr).Port)
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func main() {
	target := flag.String("target", "", "host:port; with it this is a client, without it a server")
	works := flag.String("works", "", "comma-separated names of what to do")
	seconds := flag.Float64("seconds", 1, "how long each takes")
	flag.Parse()
	if *target == "" {
		serve()
		return
	}
	unlimited := grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32),
	)
	credentials := grpc.WithTransportCredentials(insecure.NewCredentials())
	conn, err := grpc.NewClient("passthrough:///"+*target, credentials, unlimited)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	worker := client{conn: conn, duration: time.Duration(*seconds * float64(time.Second))}
	results := map[string]result{}
	for _, work := range strings.Split(*works, ",") {
		if results[work], err = worker.run(work); err != nil {
			log.Fatalf("%s: %v", work, err)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		log.Fatal(err)
	}
}
