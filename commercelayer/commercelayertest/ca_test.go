package commercelayertest_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"slices"
	"testing"
	"time"

	clt "github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

func TestCA(t *testing.T) {
	server := clt.NewServer(&clt.Options{Domain: "localhost:8443", Organization: clt.Organization{Slug: "acme"}})
	ca, err := server.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	config := ca.TLSConfig()
	for _, name := range []string{"auth.localhost", "acme.localhost", "provisioning.localhost", "dashboard.localhost", "other.localhost", "localhost", "127.0.0.1", "::1"} {
		client, peer := net.Pipe()
		go func() {
			tls.Server(peer, config).Handshake()
			peer.Close()
		}()
		conn := tls.Client(client, &tls.Config{RootCAs: ca.CertPool(), ServerName: name})
		if err := conn.Handshake(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		client.Close()
	}

	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life > 397*24*time.Hour {
		t.Errorf("leaf lives %v, want at most 397 days", life)
	}
	equal(t, "server authentication", slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth), true)
	// Node takes no wildcard right below a single label.
	equal(t, "auth by name", slices.Contains(leaf.DNSNames, "auth.localhost"), true)

	block, rest := pem.Decode(ca.PEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("PEM is not one certificate: %s", ca.PEM())
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "root is an authority", root.IsCA, true)
}

// Who trusts the authority trusts it with no name but the server's.
func TestCAIsConstrained(t *testing.T) {
	ca, err := clt.NewServer(&clt.Options{Domain: "shop.test"}).NewCA()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ca.PEM())
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "critical", root.PermittedDNSDomainsCritical, true)
	equal(t, "names", slices.Equal(root.PermittedDNSDomains, []string{"shop.test", "localhost"}), true)
	equal(t, "address ranges", len(root.PermittedIPRanges), 2)
	equal(t, "no authority below it", root.MaxPathLenZero, true)
}
