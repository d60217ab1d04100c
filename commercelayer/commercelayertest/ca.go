package commercelayertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// CA is a certificate authority for the hosts of one server and for loopback
// addresses, and for nothing else: clients that trust it trust it with no other
// name. Its keys exist in memory only and are gone with the process.
//
// It is safe for concurrent use.
type CA struct {
	pem    []byte
	pool   *x509.CertPool
	config *tls.Config
}

// certificateLife is as long as browsers take: at most 397 days.
const certificateLife = 397*24*time.Hour - time.Hour

// NewCA makes a certificate authority, and a certificate for the server's
// hosts, localhost, 127.0.0.1 and ::1.
func (s *Server) NewCA() (*CA, error) {
	ca, err := s.newCA()
	if err != nil {
		return nil, fmt.Errorf("commercelayertest: making certificates: %w", err)
	}
	return ca, nil
}

func (s *Server) newCA() (*CA, error) {
	// A client's clock may be a little behind.
	from := time.Now().Add(-time.Hour)
	root := &x509.Certificate{
		Subject:                     pkix.Name{CommonName: "Commerce Layer, local, at " + s.domain},
		NotBefore:                   from,
		NotAfter:                    from.Add(certificateLife),
		IsCA:                        true,
		BasicConstraintsValid:       true,
		MaxPathLenZero:              true,
		KeyUsage:                    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{s.domain, "localhost"},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	rootKey, rootDER, err := certify(root, root, nil)
	if err != nil {
		return nil, err
	}
	rootCert, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "auth." + s.domain},
		NotBefore:   from,
		NotAfter:    from.Add(certificateLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// By name as well as by wildcard: Node takes no wildcard right below a
		// single label, such as *.localhost.
		DNSNames:    append(s.Hosts(), "*."+s.domain, "localhost"),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback},
	}
	leafKey, leafDER, err := certify(leaf, rootCert, rootKey)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(rootCert)
	return &CA{
		pem:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		pool: pool,
		config: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: leafKey}},
			MinVersion:   tls.VersionTLS12,
		},
	}, nil
}

// certify makes a key and a certificate for it, signed by the parent, or by
// itself if there is no parent's key.
func certify(template, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if signer == nil {
		signer = key
	}
	if template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)); err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	return key, der, err
}

// PEM returns the authority's certificate, for files that clients are pointed
// to, such as by NODE_EXTRA_CA_CERTS.
func (a *CA) PEM() []byte { return append([]byte(nil), a.pem...) }

// CertPool returns a pool with the authority's certificate alone, for the
// RootCAs of a client.
func (a *CA) CertPool() *x509.CertPool { return a.pool.Clone() }

// TLSConfig returns a configuration for an [net/http.Server] that serves the
// hosts of the CA's server.
func (a *CA) TLSConfig() *tls.Config { return a.config.Clone() }

// Hosts returns the names of the server's hosts, without a port: those that
// have to lead to this machine for a client that goes by name.
func (s *Server) Hosts() []string {
	return []string{
		"auth." + s.domain, s.opts.Organization.Slug + "." + s.domain,
		"provisioning." + s.domain, "dashboard." + s.domain,
	}
}
