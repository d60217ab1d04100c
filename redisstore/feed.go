package redisstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/redis/rueidis"
)

// feed is a connection on which a server tells of changes.
type feed struct {
	client rueidis.DedicatedClient
	broken <-chan error // closed, perhaps after an error, when the connection is gone
}

// feeds are those of all primaries.
type feeds struct {
	client  rueidis.Client
	servers []string // all that the client knew, sorted
	list    []*feed
}

// open has all primaries tell the watcher of changes, and then begins.
func (w *watcher) open(ctx context.Context, c rueidis.Client) (*feeds, error) {
	nodes := c.Nodes()
	all := &feeds{client: c, servers: slices.Sorted(maps.Keys(nodes))}
	for _, node := range nodes {
		f, err := w.follow(ctx, node)
		if err != nil {
			all.close()
			return nil, err
		}
		if f != nil {
			all.list = append(all.list, f)
		}
	}
	if len(all.list) == 0 {
		return nil, errNobody
	}
	w.begin()
	for _, f := range all.list {
		go func() {
			if err := <-f.broken; err != nil {
				w.fail(w.store.brokenOff(err))
			}
			w.fail(errBroken)
		}()
	}
	return all, nil
}

// follow has a server tell of changes. It returns nil for a replica.
func (w *watcher) follow(ctx context.Context, node rueidis.Client) (*feed, error) {
	client, _ := node.Dedicate()
	f := &feed{client: client, broken: client.SetOnInvalidations(w.invalidated)}
	on := []string{"TRACKING", "ON", "BCAST"}
	if prefix := w.store.keys.prefix; prefix != "" {
		on = append(on, "PREFIX", prefix)
	}
	command := client.B().Arbitrary
	answers := client.DoMulti(ctx,
		command("CLIENT").Args("TRACKING", "OFF").Build(), // rueidis has it on, in another mode
		command("CLIENT").Args(on...).Build(),
		command("CLIENT").Args("TRACKINGINFO").Build(),
		command("ROLE").Build(),
	)
	primary, err := isPrimary(answers[3])
	if err == nil && primary {
		err = cmp.Or(answers[0].Error(), answers[1].Error())
	}
	if err != nil || !primary {
		f.close()
		return nil, err
	}
	// Without RESP3 the server would accept all this, and never tell of anything. A
	// reply of the type map is one of RESP3.
	if info, err := answers[2].ToMessage(); err != nil || !info.IsMap() {
		f.close()
		if broken(err) {
			return nil, err
		}
		return nil, errNoPushes
	}
	return f, nil
}

// isPrimary reports what a server says of its role. One that does not say may be
// asked for nothing else.
func isPrimary(role rueidis.RedisResult) (bool, error) {
	words, err := role.ToArray()
	if err != nil {
		if broken(err) {
			return false, err
		}
		return true, nil
	}
	if len(words) == 0 {
		return false, errAnswer
	}
	word, err := words[0].ToString()
	return word == "master", err
}

// ask asks all servers for an answer, and whether they are what they were.
func (all *feeds) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	errs := make([]error, len(all.list))
	var asked sync.WaitGroup
	for i, f := range all.list {
		asked.Go(func() { errs[i] = f.ask(ctx) })
	}
	asked.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if !slices.Equal(all.servers, slices.Sorted(maps.Keys(all.client.Nodes()))) {
		return errMoved
	}
	return nil
}

// ask returns nil when the server has told of all changes until now, and is a primary.
func (f *feed) ask(ctx context.Context) error {
	// PING for servers that do not tell their role.
	answers := f.client.DoMulti(ctx, f.client.B().Ping().Build(), f.client.B().Role().Build())
	if err := answers[0].Error(); broken(err) {
		return err
	}
	primary, err := isPrimary(answers[1])
	if err == nil && !primary {
		return errDemoted
	}
	return err
}

// close closes the connections. It does not wait for servers that do not answer.
func (all *feeds) close() {
	for _, f := range all.list {
		f.close()
	}
}

func (f *feed) close() { go f.client.Close() }
