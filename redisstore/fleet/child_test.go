package fleet_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync"
)

// roleEnv is the variable that makes a process a child, and says what it does.
const roleEnv = "BEARER_FLEET_ROLE"

// roles are what a child can be. Each begins its work, and returns what the parent
// has to know.
var roles = map[string]func(*child) (any, error){"auth": authServer, "shop": shopServer}

// message is a line between parent and child.
type message struct {
	ID    int             `json:"id,omitempty"`    // of a command, and of its answer
	Do    string          `json:"do,omitempty"`    // the command
	Event string          `json:"event,omitempty"` // what has happened in a child
	Value json.RawMessage `json:"value,omitempty"` // of a command, an answer or an event
	Error string          `json:"error,omitempty"` // of an answer
}

// child is a process that does what its parent says, line by line, and ends when the
// parent has ended.
type child struct {
	name   string
	config json.RawMessage
	does   map[string]func(json.RawMessage) (any, error)

	mu  sync.Mutex // guards out
	out *json.Encoder
}

// play is the main function of a child. It returns the process's exit code.
func play(role string) int {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	c := &child{does: map[string]func(json.RawMessage) (any, error){}, out: json.NewEncoder(os.Stdout)}
	for in.Scan() {
		var m message
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			fmt.Fprintln(os.Stderr, "a line that is no message:", err)
			return 1
		}
		if c.name == "" { // the first line
			c.name, c.config = m.Do, m.Value
			c.does[c.name] = func(json.RawMessage) (any, error) { return roles[role](c) }
		}
		do, ok := c.does[m.Do]
		if !ok {
			do = func(json.RawMessage) (any, error) { return nil, fmt.Errorf("%s does not know %q", role, m.Do) }
		}
		c.answer(m.ID, do, m.Value)
	}
	return 0
}

// on has a command do something.
func on[A any](c *child, command string, do func(A) (any, error)) {
	c.does[command] = func(raw json.RawMessage) (any, error) {
		var a A
		if err := json.Unmarshal(raw, &a); err != nil {
			return nil, err
		}
		return do(a)
	}
}

// none is the argument of commands that need none.
type none struct{}

func (c *child) answer(id int, do func(json.RawMessage) (any, error), with json.RawMessage) {
	m := message{ID: id}
	value, err := do(with)
	if err == nil {
		m.Value, err = json.Marshal(value)
	}
	if err != nil {
		m.Error = err.Error()
	}
	c.send(m)
}

// tell tells the parent that something has happened to a shop.
func (c *child) tell(event, shop string) {
	c.send(message{Event: event, Value: json.RawMessage(strconv.Quote(shop))})
}

func (c *child) send(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.Encode(m) != nil {
		os.Exit(1) // the parent is gone
	}
}
