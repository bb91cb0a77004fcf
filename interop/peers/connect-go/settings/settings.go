// Package settings has what client and server share: flags, certificates, the payload, the names of metadata.
package settings

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"log"
	"os"
	"path/filepath"

	pb "clarionwebinterop/testing"
)

const (
	Initial  = "X-Grpc-Test-Echo-Initial"
	Trailing = "X-Grpc-Test-Echo-Trailing-Bin"
)

var (
	Port         = flag.Int("port", 0, "the server's own port")
	Host         = flag.String("server_host", "localhost", "")
	ServerPort   = flag.Int("server_port", 0, "")
	Override     = flag.String("server_host_override", "", "the name that the server has to prove")
	Cases        = flag.String("test_case", "", "names with commas between them")
	UseTLS       = flag.Bool("use_tls", false, "")
	Protocol     = flag.String("protocol", "connect", "connect, grpc-web or grpc")
	HTTP         = flag.String("http_version", "2", "1.1 or 2")
	Codec        = flag.String("codec", "proto", "proto or json")
	_            = flag.String("descriptors", "", "not needed here")
	_            = flag.Bool("use_test_ca", true, "there is no other")
	Certificates = flag.String("certificates", "", "a folder")
)

func Payload(size int) *pb.Payload { return &pb.Payload{Body: make([]byte, size)} }

func file(name string) string { return filepath.Join(*Certificates, name) }

// ClientTLS trusts the test authority.
func ClientTLS() *tls.Config {
	pem, err := os.ReadFile(file("ca.pem"))
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots, ServerName: *Override}
}

// ServerFiles are the paths of certificate and key.
func ServerFiles() (string, string) { return file("server1.pem"), file("server1.key") }
