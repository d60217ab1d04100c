package redisstore

import (
	"context"
	"os"
	"time"

	"github.com/redis/rueidis"
)

// call is something that Redis is asked.
type call[T any] struct {
	do    func(context.Context, rueidis.Client) (T, error)
	again bool    // it may be done twice
	late  func(T) // gets a result that nobody waits for any more
}

// patience is how much longer a call may go on when nobody waits for it any more:
// time to connect, so that the next one finds a connection.
const patience = 10 * time.Second

// in asks Redis, and waits until ctx ends, or for the Store's timeout.
//
// The asking goes on in a goroutine of its own, with a context that does not end
// with the caller's. rueidis has callers wait for each other where they do not look
// at their contexts: for a connection that one of them makes, for room in a queue
// that is full because the server has stopped. And it shares what one of them asks
// for with those who ask for the same: if the first one's context ended, all would
// get its error.
func (c call[T]) in(ctx context.Context, s *Store) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	answered := make(chan result[T])
	left := make(chan struct{})
	defer close(left)
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout+patience)
		defer cancel()
		r := c.ask(ctx, s)
		select {
		case answered <- r:
		case <-left:
			if c.late != nil && r.err == nil {
				c.late(r.value)
			}
		}
	}()
	timeout := time.NewTimer(s.timeout)
	defer timeout.Stop()
	select {
	case r := <-answered:
		return r.value, s.explain(ctx, r.err)
	case <-ctx.Done():
		return none, s.explain(ctx, ctx.Err())
	case <-timeout.C:
		return none, s.explain(ctx, os.ErrDeadlineExceeded)
	}
}

type result[T any] struct {
	value T
	err   error
}

func (c call[T]) ask(ctx context.Context, s *Store) (r result[T]) {
	for tries := 1; ; tries++ {
		client, err := s.connection.get(ctx)
		if err != nil {
			return result[T]{err: err}
		}
		r.value, r.err = c.do(ctx, client)
		if code, _ := refusal(r.err); code == "READONLY" {
			s.giveUp(client)
		}
		// A connection may have been broken for long, and only a call shows it.
		if !c.again || tries == 2 || !broken(r.err) {
			return r
		}
	}
}

// giveUp gives up a client whose server has become a replica. Nothing else may ever
// end its connection, and what is read from it may be old.
func (s *Store) giveUp(client rueidis.Client) {
	if s.connection.renew(client) {
		s.log.Warn("redisstore: the server has become a replica: the connection is given up, to look for the primary", "server", s.place())
	}
}
