package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"

	"github.com/bearerkit/bearer/commercelayer/commercelayertest"
)

var errUsage = errors.New("wrong usage")

// settings is what the program was told, by its flags and its file.
type settings struct {
	addr      string
	tls       bool
	caOut     string
	log       string
	anyListen bool
	options   commercelayertest.Options
}

const usage = `Usage: commercelayer-local [flags]

Runs a Commerce Layer on this machine: the auth host, the Core API and a little
of the Provisioning API on one port. Prints the settings that a client needs.

`

// parse reads the flags, and the file that they name. A flag that is there wins
// over the file.
func parse(args []string, stderr io.Writer) (*settings, error) {
	f := flag.NewFlagSet("commercelayer-local", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, usage)
		f.PrintDefaults()
	}
	addr := f.String("addr", "127.0.0.1:4747", "`address` to listen on; port 0 picks a free one")
	domain := f.String("domain", "localhost", "domain whose `name` the hosts are under: auth.<name> and so on")
	config := f.String("config", "", "JSON `file` with applications, customers, markets, SKUs and all else")
	tls := f.Bool("tls", false, "serve https, with a certificate authority made for this run (js-auth and browsers need it)")
	caOut := f.String("ca-out", "", "`file` to write that authority's certificate to; implies -tls")
	rate := f.Int("rate-limit", 30, "token requests a minute for each address; 0 for no limit")
	reuse := f.Bool("reuse-password-token", false, "give a customer who signs in again the token that is already running")
	log := f.String("log", "text", "how to log requests, to standard error: text, json or off")
	anyListen := f.Bool("unsafe-listen-anywhere", false, "allow an -addr that other machines can reach")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, errUsage
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("there is an argument that is no flag: %q; see -help", f.Arg(0))
	}

	s := &settings{addr: *addr, log: *log, anyListen: *anyListen}
	s.options.Domain = *domain
	s.options.RateLimit = *rate
	if *config != "" {
		if err := readConfig(*config, s); err != nil {
			return nil, err
		}
	}
	noTLS, certificate := false, false // as flags say
	f.Visit(func(given *flag.Flag) {
		switch given.Name {
		case "addr":
			s.addr = *addr
		case "domain":
			s.options.Domain = *domain
		case "tls":
			s.tls = *tls
			noTLS = !*tls
		case "ca-out":
			s.caOut = *caOut
			certificate = *caOut != ""
		case "rate-limit":
			s.options.RateLimit = *rate
		case "reuse-password-token":
			s.options.ReusePasswordToken = *reuse
		case "log":
			s.log = *log
		}
	})
	switch {
	case noTLS && certificate:
		return nil, errors.New("-tls=false and -ca-out contradict each other: leave one of them out")
	case noTLS:
		s.caOut = ""
	case s.caOut != "":
		s.tls = true
	}
	return s, s.check()
}

// check finds what the server itself would not.
func (s *settings) check() error {
	switch s.log {
	case "text", "json", "off":
	default:
		return fmt.Errorf("log is %q: use text, json or off", s.log)
	}
	switch {
	case s.options.RateLimit < 0:
		return fmt.Errorf("rate limit is %d: use a number of requests a minute, or 0 for no limit", s.options.RateLimit)
	case s.options.RateLimit == 0:
		s.options.RateLimit = commercelayertest.NoRateLimit
	}
	host, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("address %q: use one with a port, such as 127.0.0.1:4747", s.addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("address %q: use a port from 0 to 65535", s.addr)
	}
	if !isLoopback(host) && !s.anyListen {
		return fmt.Errorf("address %q can be reached from other machines, and every secret of this server is public: use 127.0.0.1, or say -unsafe-listen-anywhere", s.addr)
	}
	return nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
