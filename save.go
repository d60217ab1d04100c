package bearer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// saveTimeout is the time limit of OnChange: a storage that hangs must not keep
// callers from a token that is there.
const saveTimeout = 5 * time.Second

var errNotSaved = &safeError{fmt.Sprintf("OnChange did not return within %v", saveTimeout), context.DeadlineExceeded}

// save calls OnChange for a token that r has brought, unless that is too late by
// the time that an earlier call has ended: a slow old token never overwrites a
// newer one.
func (s *Source) save(ctx context.Context, r round, t *Token) error {
	return s.saved(ctx, func(ctx context.Context) error {
		select {
		case s.saving <- struct{}{}:
			defer func() { <-s.saving }()
		case <-ctx.Done():
			return errNotSaved
		}
		if s.late(r) {
			return errDetached
		}
		return s.write(ctx, &r, t)
	})
}

// saveAgain calls OnChange for a token for which it has failed before, unless it
// is running.
func (s *Source) saveAgain(ctx context.Context, t *Token) {
	s.saved(ctx, func(ctx context.Context) error {
		select {
		case s.saving <- struct{}{}:
			defer func() { <-s.saving }()
		default:
			return nil
		}
		if h := s.cur.Load(); h == nil || h.token != t || !h.unsaved {
			return nil
		}
		if err := s.write(ctx, nil, t); err != nil {
			return err
		}
		for {
			h := s.cur.Load()
			if h == nil || h.token != t || s.cur.CompareAndSwap(h, h.saved()) {
				return nil
			}
		}
	})
}

// saved runs write within saveTimeout and tells of its failure.
func (s *Source) saved(ctx context.Context, write func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	var err error = errNotSaved
	select {
	case r := <-contain(ctx, func(ctx context.Context) (*Token, error) { return nil, write(ctx) }):
		err = r.err
	case <-ctx.Done():
	}
	if err != nil && err != errDetached {
		s.opts.Observer(ctx, SaveFailed{Source: s.opts.Name, Err: err})
	}
	return err
}

// write has the token kept wherever it is to be. r has brought it, just now; nil: it
// is the token's second time.
func (s *Source) write(ctx context.Context, r *round, t *Token) error {
	var err error
	switch {
	case s.shared == nil:
	case r == nil:
		err = s.shared.catchUp(ctx)
	default:
		err = s.shared.write(ctx, t, r.old != nil, time.Now())
	}
	if s.opts.OnChange != nil {
		err = errors.Join(err, s.opts.OnChange(ctx, t))
	}
	return err
}
