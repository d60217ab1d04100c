package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

// announce prints what a client needs, ready to be pasted into a shell.
func (l *local) announce(w io.Writer) error {
	var b bytes.Buffer
	o := l.server.Options()
	scheme := "http"
	if l.settings.tls {
		scheme = "https"
	}
	domain, _, _ := strings.Cut(o.Domain, ":")
	byIP := scheme + "://" + net.JoinHostPort(l.address(), strconv.Itoa(l.port))
	// A client that is told the scheme's own port does not send it, and the
	// issuer has to be what the client sent.
	if l.port != 443 && scheme == "https" || l.port != 80 && scheme == "http" {
		domain += ":" + strconv.Itoa(l.port)
	}

	export := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "export %s=%s\n", name, quote(value))
		}
	}
	export("COMMERCELAYER_DOMAIN", domain)
	export("COMMERCELAYER_AUTH_URL", scheme+"://auth."+domain)
	export("COMMERCELAYER_API_URL", scheme+"://"+o.Organization.Slug+"."+domain)
	export("COMMERCELAYER_ORGANIZATION", o.Organization.Slug)
	seen := map[commercelayertest.Kind]bool{}
	for _, app := range o.Applications {
		if seen[app.Kind] {
			continue
		}
		seen[app.Kind] = true
		prefix := prefixes[app.Kind]
		export(prefix+"CLIENT_ID", app.ClientID)
		export(prefix+"CLIENT_SECRET", app.ClientSecret)
		if len(app.RedirectURIs) > 0 {
			export(prefix+"REDIRECT_URI", app.RedirectURIs[0])
		}
	}
	if len(o.Markets) > 0 {
		export("COMMERCELAYER_SCOPE", "market:code:"+o.Markets[0].Code)
		export("COMMERCELAYER_MARKET_ID", o.Markets[0].ID) // tokens name markets by id
	}
	if len(o.Customers) > 0 {
		export("COMMERCELAYER_CUSTOMER_EMAIL", o.Customers[0].Email)
		export("COMMERCELAYER_CUSTOMER_PASSWORD", o.Customers[0].Password)
	}
	if l.caFile != "" {
		export("NODE_EXTRA_CA_CERTS", l.caFile)
	}

	fmt.Fprintf(&b, "\n# If the names do not resolve here, this line for /etc/hosts:\n# %s %s\n",
		l.address(), strings.Join(l.server.Hosts(), " "))
	fmt.Fprintf(&b, "\n# Without names, for Go clients only (js-auth takes no issuer that does not\n# begin with https://auth., and browsers need the names):\n# export COMMERCELAYER_AUTH_URL=%s/auth\n# export COMMERCELAYER_API_URL=%s/%s\n",
		byIP, byIP, o.Organization.Slug)
	fmt.Fprint(&b, "\n# A verifier accepts only tokens that were requested at its own AuthURL: by name or by address, not both.\n")
	if !l.settings.tls {
		fmt.Fprint(&b, "\n# js-auth and browsers need https: start with -ca-out ca.pem.\n")
	} else if l.caFile == "" {
		fmt.Fprint(&b, "\n# For clients to trust the certificate: start with -ca-out ca.pem.\n")
	} else {
		fmt.Fprint(&b, "\n# Go clients on Linux trust the file with SSL_CERT_FILE, curl with --cacert.\n")
	}
	fmt.Fprintf(&b, "\n# What happened: %s/_local/counts, /_local/requests and /_local/metrics\n", byIP)
	_, err := w.Write(b.Bytes())
	return err
}

// prefixes of the variables for each kind of application; those of an
// integration are the ones that a backend expects.
var prefixes = map[commercelayertest.Kind]string{
	commercelayertest.Integration:  "COMMERCELAYER_",
	commercelayertest.SalesChannel: "COMMERCELAYER_SALES_CHANNEL_",
	commercelayertest.Webapp:       "COMMERCELAYER_WEBAPP_",
	commercelayertest.User:         "COMMERCELAYER_PROVISIONING_",
}

// address is one by which this machine reaches the server.
func (l *local) address() string {
	addr := l.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return "127.0.0.1"
	}
	return addr.IP.String()
}

// quote makes a word of a value for any shell.
func quote(value string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:/@%+=,", c)
	}
	if strings.TrimFunc(value, plain) == "" {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
