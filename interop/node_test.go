package interop_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long another process may take to do what it has to do.
const patience = 30 * time.Second

// install brings what package-lock.json names into node_modules, unless it is there.
var install = sync.OnceValue(func() error {
	for _, command := range []string{"node", "npm"} {
		if _, err := exec.LookPath(command); err != nil {
			return fmt.Errorf("%s is missing: run ./test.sh at the top of the repository, which installs it or says how", command)
		}
	}
	if out, err := exec.Command("node", "--version").Output(); err != nil || tooOld(string(out)) {
		return fmt.Errorf("node --version says %q (%v): the tests need Node 18 or newer, see https://nodejs.org", out, err)
	}
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		return err
	}
	digest := sha256.Sum256(lock)
	want := []byte(hex.EncodeToString(digest[:]))
	const note = "node_modules/.installed" // which npm removes with all the rest
	if got, err := os.ReadFile(note); err == nil && bytes.Equal(got, want) {
		return nil
	}
	out, err := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return os.WriteFile(note, want, 0o644)
})

// tooOld reports whether a version like v20.1.2 is below 18, which Debian 12 has: it is enough, though js-auth asks for 20.
func tooOld(version string) bool {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(major)
	return err != nil || n < 18
}

// node is a process that runs peer.mjs.
type node struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	stderr  syncBuffer
	ended   chan struct{} // closed when it has

	mu      sync.Mutex // guards what follows
	last    int        // id of the latest command
	waiting map[int]chan answer
}

type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *nodeError      `json:"error"`
}

// nodeError is what was thrown.
type nodeError struct {
	Name       string `json:"name"`
	Message    string `json:"message"`
	TokenError bool   `json:"tokenError"` // it is one of js-auth's
}

func (e *nodeError) Error() string { return e.Name + ": " + e.Message }

// idle are the processes that no test has: one is started in the time of several tests.
var idle struct {
	mu    sync.Mutex // guards nodes
	nodes []*node
}

// newNode gives the test a process until its end, like one that has just started.
func newNode(t *testing.T) *node {
	t.Helper()
	idle.mu.Lock()
	var n *node
	if last := len(idle.nodes) - 1; last >= 0 {
		n, idle.nodes = idle.nodes[last], idle.nodes[:last]
	}
	idle.mu.Unlock()
	if n == nil {
		var err error
		if n, err = startNode(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		err := n.try("end", nil, nil)
		if err != nil || t.Failed() {
			err = errors.Join(err, n.end())
		} else {
			idle.mu.Lock()
			defer idle.mu.Unlock()
			idle.nodes = append(idle.nodes, n)
		}
		if err != nil {
			t.Error(err)
		}
	})
	n.do(t, "begin", nil, nil)
	return n
}

// startNode starts one that trusts the authorities.
func startNode() (*node, error) {
	if err := install(); err != nil {
		return nil, err
	}
	if _, err := os.Stat("peer.mjs"); err != nil { // by which go test knows what a result depends on
		return nil, err
	}
	file, err := trusted()
	if err != nil {
		return nil, err
	}
	n := &node{ended: make(chan struct{}), waiting: map[int]chan answer{}}
	n.process = exec.Command("node", "peer.mjs")
	n.process.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+file)
	n.process.Stderr = &n.stderr
	if n.stdin, err = n.process.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := n.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		n.read(stdout)
		n.process.Wait()
		close(n.ended)
	}()
	return n, nil
}

// end ends the process.
func (n *node) end() error {
	n.stdin.Close()
	select {
	case <-n.ended:
		return nil
	case <-time.After(patience):
		n.process.Process.Kill()
		<-n.ended
		return fmt.Errorf("node did not end:\n%s", n.stderr.String())
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, n := range idle.nodes {
		if err := n.end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if file, err := trusted(); err == nil {
		os.Remove(file)
	}
	os.Exit(code)
}

func (n *node) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue
		}
		n.mu.Lock()
		if c, ok := n.waiting[a.ID]; ok {
			delete(n.waiting, a.ID)
			c <- a
		}
		n.mu.Unlock()
	}
}

// fields are the rest of a command.
type fields map[string]any

// try has node run a command, and puts what comes of it into result, unless that is
// nil. The error is a *nodeError if the command threw.
func (n *node) try(command string, options fields, result any) error {
	n.mu.Lock()
	n.last++
	id, c := n.last, make(chan answer, 1)
	n.waiting[id] = c
	n.mu.Unlock()
	line := fields{"id": id, "command": command}
	maps.Copy(line, options)
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	if _, err := n.stdin.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("node has ended: %s", n.stderr.String())
	}
	select {
	case a := <-c:
		if a.Error != nil {
			return a.Error
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-n.ended:
		return fmt.Errorf("node has ended: %s", n.stderr.String())
	case <-time.After(patience):
		return errors.New("node does not answer: " + n.stderr.String())
	}
}

// do is try for what must succeed.
func (n *node) do(t *testing.T, command string, options fields, result any) {
	t.Helper()
	if err := n.try(command, options, result); err != nil {
		t.Fatalf("%s: %v", command, err)
	}
}

// threw returns the name of what a command threw, empty if it threw nothing.
func threw(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*nodeError](err)
	if !ok {
		t.Fatal(err)
	}
	return e.Name
}

type syncBuffer struct {
	mu sync.Mutex // guards b
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
