package interop_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// authorities are the certificate authorities of all domains that tests serve, by the
// domain without a port. Both sides trust all of them.
var authorities = sync.OnceValues(func() (map[string]*commercelayertest.CA, error) {
	all := map[string]*commercelayertest.CA{}
	for _, domain := range []string{"commerce.test", "partner.test", "forger.test"} {
		s := commercelayertest.NewServer(&commercelayertest.Options{Domain: domain})
		ca, err := s.NewCA()
		s.Close()
		if err != nil {
			return nil, err
		}
		all[domain] = ca
	}
	return all, nil
})

// trusted is the name of a file with their certificates, which TestMain removes.
var trusted = sync.OnceValues(func() (string, error) {
	all, err := authorities()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp("", "interop-*.pem")
	if err != nil {
		return "", err
	}
	defer file.Close()
	for _, ca := range all {
		if _, err := file.Write(ca.PEM()); err != nil {
			return "", err
		}
	}
	return file.Name(), nil
})

// serve serves the hosts of a domain, until the test ends, by the handler that is made
// for the domain with its port.
func serve(t *testing.T, domain string, handler func(domain string) http.Handler) {
	t.Helper()
	all, err := authorities()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:   handler(domain + ":" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)),
		TLSConfig: all[domain].TLSConfig(),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
}
