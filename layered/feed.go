package layered

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	// idle is how long the feed is kept without a Get.
	idle = time.Minute

	// silence is when a feed without a heartbeat is given up.
	silence = 5 * time.Second

	firstPause, longestPause = 500 * time.Millisecond, 10 * time.Second
)

var (
	errIdle   = errors.New("layered: nobody has read for a minute")
	errSilent = errors.New("layered: the change feed had no heartbeat for 5 seconds, where one a second is due")
)

// feed learns what others change at the truth, while somebody reads.
type feed struct {
	truth   bearer.Watcher // nil if it is none; then nothing else is used
	changed func(key string)
	broke   func(error) // told why the feed has broken off
	now     func() time.Duration

	running atomic.Bool   // there is a goroutine
	used    atomic.Int64  // when there was a Get, give or take a second
	alive   atomic.Uint64 // the epoch, which call of Watch this is; 0 if it has not begun to tell
	heard   atomic.Int64  // when there was a heartbeat
	epochs  uint64        // how many there were; the goroutine's
}

// use is called by each Get.
func (f *feed) use(now time.Duration) {
	if f.truth == nil || f.running.Load() && now-time.Duration(f.used.Load()) < time.Second {
		return
	}
	f.used.Store(int64(now))
	if f.running.CompareAndSwap(false, true) {
		go f.run()
	}
}

func (f *feed) isIdle() bool { return f.now()-time.Duration(f.used.Load()) > idle }

// covers reports whether the feed has told of each change that was made after that
// epoch had begun and is a moment old.
func (f *feed) covers(epoch uint64, now time.Duration) bool {
	return epoch != 0 && epoch == f.alive.Load() && now-time.Duration(f.heard.Load()) <= moment
}

// run watches until nobody reads any more.
func (f *feed) run() {
	for {
		f.keepWatching()
		f.running.Store(false)
		if f.isIdle() || !f.running.CompareAndSwap(false, true) {
			return
		}
	}
}

func (f *feed) keepWatching() {
	pause := firstPause
	for !f.isIdle() {
		told, err := f.watch()
		if err == errIdle {
			return
		}
		f.broke(err)
		if told {
			pause = firstPause
		}
		<-time.After(pause/2 + rand.N(pause/2)) // a fleet must not come back in step
		pause = min(2*pause, longestPause)
	}
}

// watch watches once, until the feed breaks off or is idle, and reports whether it
// has told anything.
func (f *feed) watch() (told bool, err error) {
	f.epochs++
	epoch := f.epochs
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.heard.Store(int64(f.now()))
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- f.truth.Watch(ctx, func(c bearer.Change) {
			if c.Key != "" {
				f.changed(c.Key)
				return
			}
			f.heard.Store(int64(f.now()))
			f.alive.Store(epoch)
		})
	}()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for err == nil {
		select {
		case err = <-ended:
			return f.alive.Swap(0) != 0, err
		case <-look.C:
			switch {
			case f.isIdle():
				err = errIdle
			case f.now()-time.Duration(f.heard.Load()) > silence:
				err = errSilent
			}
		}
	}
	cancel()
	<-ended
	return f.alive.Swap(0) != 0, err
}
