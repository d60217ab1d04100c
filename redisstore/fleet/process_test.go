package fleet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long something may take that has to happen.
const patience = 2 * time.Minute

// childProgram returns what children run: this binary, or one without the race
// detector, as two hundred with it are more than a small machine can bear.
var childProgram = sync.OnceValues(func() (string, error) {
	if !underRace() {
		return os.Executable()
	}
	path := filepath.Join(scratch, "child")
	if out, err := exec.Command("go", "test", "-c", "-race=false", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("the children's program cannot be built: %w\n%s", err, out)
	}
	return path, nil
})

// underRace reports whether this binary has the race detector in it.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// attributes are those of the processes, as far as the system has them.
var attributes *syscall.SysProcAttr

// process is a child, as its parent sees it.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stderr *bytes.Buffer // not to be read before the process has ended
	events chan message  // what has happened in it, and in those that share the channel
	ended  chan struct{} // closed when the process has

	mu      sync.Mutex // guards the rest
	in      io.WriteCloser
	last    int
	waiting map[int]chan message
}

// launch starts a child, which begins its work. It ends with the test.
func launch(t *testing.T, role, name string, config any, events chan message) (*process, <-chan message) {
	t.Helper()
	path, err := childProgram()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{
		t: t, name: name, cmd: exec.Command(path), stderr: new(bytes.Buffer),
		events: events, ended: make(chan struct{}), waiting: map[int]chan message{},
	}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+role)
	p.cmd.SysProcAttr = attributes
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go p.read(out)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() && p.stderr.Len() > 0 {
			t.Logf("%s wrote:\n%.2000s", name, p.stderr)
		}
	})
	return p, p.send(name, config)
}

// read delivers what the child says.
func (p *process) read(out io.Reader) {
	for lines := json.NewDecoder(out); ; {
		var m message
		if lines.Decode(&m) != nil {
			break
		}
		if m.Event != "" {
			p.events <- m
			continue
		}
		p.mu.Lock()
		to := p.waiting[m.ID]
		delete(p.waiting, m.ID)
		p.mu.Unlock()
		if to != nil {
			to <- m
		}
	}
	p.cmd.Wait()
	close(p.ended)
}

// send gives a command. The answer comes later; none does if the process has ended.
func (p *process) send(do string, value any) <-chan message {
	p.t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	answer := make(chan message, 1)
	p.waiting[p.last] = answer
	json.NewEncoder(p.in).Encode(message{ID: p.last, Do: do, Value: raw}) // if it fails the process has ended
	return answer
}

// ask gives a command, and waits for its answer.
func ask[T any](p *process, do string, value any) T {
	p.t.Helper()
	return await[T](p, do, p.send(do, value))
}

func await[T any](p *process, do string, answer <-chan message) (value T) {
	p.t.Helper()
	select {
	case m := <-answer:
		if m.Error != "" {
			p.t.Fatalf("%s: %s: %s", p.name, do, m.Error)
		}
		if err := json.Unmarshal(m.Value, &value); err != nil {
			p.t.Fatalf("%s: %s: %v", p.name, do, err)
		}
	case <-p.ended:
		p.t.Fatalf("%s: %s: the process has ended", p.name, do)
	case <-time.After(patience):
		p.t.Fatalf("%s: %s: no answer within %v", p.name, do, patience)
	}
	return value
}

// event waits until a child tells of something, and returns which shop it is about.
func event(t *testing.T, from <-chan message, name string) (shop string) {
	t.Helper()
	select {
	case m := <-from:
		if m.Event != name {
			t.Fatalf("%q has happened, want %q", m.Event, name)
		}
		if err := json.Unmarshal(m.Value, &shop); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	case <-time.After(patience):
		t.Fatalf("%q has not happened within %v", name, patience)
	}
	return shop
}

// kill ends the process as a power failure would, also one that is stopped.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// stop stops the process without ending it: connections stay, and nothing happens. It
// waits until all its threads stand still.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			p.t.Fatalf("%s has not stopped: %v", p.name, err)
		}
		return
	}
}

// resume undoes stop.
func (p *process) resume() { p.signal(syscall.SIGCONT) }

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
}
