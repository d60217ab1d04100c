// Package redistest starts Redis servers for tests, on free ports of this machine,
// with nothing on disk but a temporary directory.
package redistest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Server is a redis-server.
type Server struct {
	t    testing.TB
	port int
	args []string
	dir  string

	sentinel string // its file, if it is one

	process *exec.Cmd
	output  *bytes.Buffer // not to be read before the process has ended
	ended   chan struct{} // closed when it has
	client  rueidis.Client
}

// attributes are those of the process, as far as the system has them.
var attributes *syscall.SysProcAttr

// patience is how long a server may take to do what it has to do.
const patience = time.Minute

// Start starts a server with these arguments besides its own, and waits until it
// answers. It ends with the test.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath(command()); err != nil {
		t.Fatalf("%s is missing: run ./test.sh at the top of the repository, which installs it or says how", command())
	}
	return start(&Server{t: t, args: args, dir: t.TempDir()})
}

func start(s *Server) *Server {
	t := s.t
	t.Helper()
	t.Cleanup(func() {
		if s.client != nil {
			s.client.Close()
		}
		s.Kill()
	})
	for range 5 { // somebody else may take the port first
		s.port = freePort(t)
		if s.begin() {
			return s
		}
	}
	t.Fatalf("redis-server does not start:\n%s", s.output)
	return nil
}

// command is redis-server, or what REDIS_SERVER names instead, such as the
// valkey-server.
func command() string { return cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server") }

// freePort returns a port whose number leaves room for that of the cluster's bus,
// which is 10,000 higher.
func freePort(t testing.TB) int {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port <= 55535 {
			return port
		}
	}
}

// begin starts the process, and reports whether it answers.
func (s *Server) begin() bool {
	args := []string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no"}
	if s.sentinel != "" {
		args = append([]string{s.sentinel, "--sentinel"}, args...)
	} else {
		args = append(args, "--save", "", "--repl-diskless-sync-delay", "0")
	}
	args = append(args, s.args...)
	s.output = new(bytes.Buffer)
	s.process = exec.Command(command(), args...)
	s.process.SysProcAttr = attributes
	s.process.Stdout, s.process.Stderr = s.output, s.output
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func(p *exec.Cmd) {
		p.Wait()
		close(ended)
	}(s.process)
	s.ended = ended
	for begin := time.Now(); time.Since(begin) < patience; {
		select {
		case <-ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
		if s.answers() {
			return true
		}
	}
	s.Kill()
	return false
}

// answers reports whether the server answers, and not another one that has taken the
// port first.
func (s *Server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	conn.Write([]byte("INFO server\r\n"))
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "-NOAUTH") { // nobody else has been given a password
			return true
		}
		if id, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return id == strconv.Itoa(s.process.Process.Pid)
		}
	}
	return false
}

// Addr is host and port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is the address for redisstore.Open.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Kill ends the server as a power failure would.
func (s *Server) Kill() {
	if s.process != nil && s.process.Process != nil {
		s.process.Process.Kill() // one that is stopped too
		<-s.ended
	}
}

// Restart starts the server again, after Kill, on the same port.
func (s *Server) Restart(args ...string) {
	s.t.Helper()
	s.args = append(s.args, args...)
	for range 50 { // somebody else may have the port for a moment
		if s.begin() {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	s.t.Fatalf("redis-server does not start again:\n%s", s.output)
}

// Stop stops the process without ending it: connections stay, and nothing is answered.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Continue undoes Stop.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Try runs a command, as somebody else would.
func (s *Server) Try(args ...string) rueidis.RedisResult {
	s.t.Helper()
	if s.client == nil {
		client, err := rueidis.NewClient(rueidis.ClientOption{
			InitAddress: []string{s.Addr()}, ForceSingleClient: true, DisableCache: true,
			Dialer: net.Dialer{Timeout: patience}, ConnWriteTimeout: patience,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		s.client = client
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.client.Do(ctx, s.client.B().Arbitrary(args...).Build())
}

// Do runs a command that must succeed, and returns its answer as text.
func (s *Server) Do(args ...string) string {
	s.t.Helper()
	m, err := s.Try(args...).ToMessage()
	switch {
	case rueidis.IsRedisNil(err):
		return ""
	case err != nil:
		s.t.Fatalf("%s: %v", args[0], err)
	case m.IsInt64():
		n, _ := m.AsInt64()
		return strconv.FormatInt(n, 10)
	}
	text, err := m.ToString()
	if err != nil {
		return fmt.Sprint(m)
	}
	return text
}

// Calls returns how many of these commands the server has run.
func (s *Server) Calls(command string) int {
	s.t.Helper()
	_, after, ok := strings.Cut(s.Do("INFO", "commandstats"), "cmdstat_"+command+":calls=")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(after, ",")
	n, err := strconv.Atoi(number)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
