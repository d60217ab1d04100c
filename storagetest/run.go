package storagetest

import (
	"sync"
	"testing"

	"github.com/bearerkit/bearer"
)

// Run tests the storage that open returns. Each subtest calls open for one, from
// many goroutines at once; it may return the same one each time. If it can only be
// closed after the test, open does so in t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) bearer.Storage) {
	t.Helper()
	// Neither the groups nor their rules are parallel tests: of those no more run at
	// once than there are processors, and most of these only wait.
	together(t, groups, func(g group) (string, func(*testing.T)) {
		return g.name, func(t *testing.T) {
			if !g.fits(open(t)) {
				t.Skipf("the storage is no %s", g.name)
			}
			together(t, g.rules, func(r rule) (string, func(*testing.T)) {
				return r.name, func(t *testing.T) { r.check(newSubject(t, open(t))) }
			})
		}
	})
}

// together runs all subtests at the same time.
func together[T any](t *testing.T, of []T, subtest func(T) (string, func(*testing.T))) {
	var all sync.WaitGroup
	for _, x := range of {
		name, f := subtest(x)
		all.Go(func() { t.Run(name, f) })
	}
	all.Wait()
}

// group is the rules of an interface.
type group struct {
	name  string
	fits  func(bearer.Storage) bool
	rules []rule
}

// rule is one of them, in words.
type rule struct {
	name  string
	check func(*subject)
}

var groups = []group{
	{"Storage", is[bearer.Storage], []rule{
		{"a value comes back as it was", valuesComeBack},
		{"a value shares no memory with its callers", valuesAreCopies},
		{"a write replaces what is there", writesReplace},
		{"a key without a value is ErrNotFound", missingIsErrNotFound},
		{"a deleted value is gone, and a missing one can be deleted", deletedIsGone},
		{"keys are told apart whatever they hold", keysAreToldApart},
		{"a value is gone after its ttl and not before", valuesEnd},
		{"the ttl is that of the last write", lastTTLCounts},
		{"a negative ttl is an error that changes nothing", negativeTTLIsAnError},
		{"a method returns when its context ends", contextsEnd},
		{"it can be used by many at once", manyAtOnce},
	}},
	{"CompareAndSwapper", is[bearer.CompareAndSwapper], []rule{
		{"a swap takes place only if the expected value is there", swapsCompare},
		{"a nil old expects no value", nilOldExpectsNone},
		{"a nil next removes the value", nilNextRemoves},
		{"a swapped value comes back as it was", swapsKeepValues},
		{"a swap under any key is one of that key", swapsKeepKeys},
		{"a swap gives the value its ttl", swapsSetTTL},
		{"a failed swap changes neither value nor ttl", failedSwapsChangeNothing},
		{"an expired value is none", expiredIsNone},
		{"a negative ttl is an error that changes nothing", negativeTTLOfSwap},
		{"of many creators one wins", oneCreatorWins},
		{"no update of many is lost", noUpdateIsLost},
		{"a swap does not undo a Set or a Delete that it did not see", swapsUndoNothing},
		{"a method returns when its context ends", swapContextsEnd},
	}},
	{"Locker", is[bearer.Locker], []rule{
		{"a lock has one owner", locksHaveOneOwner},
		{"a lock has one owner at a time among many", locksExclude},
		{"a lease runs out and not before its time", leasesRunOut},
		{"Renew makes the lease begin anew", renewBeginsAnew},
		{"a lapsed lock cannot be had back", lapsedIsLost},
		{"the lock of another cannot be given back", othersLocksStay},
		{"locks and values do not know each other", locksAreNoValues},
		{"locks are told apart whatever their keys hold", locksAreToldApart},
		{"a method returns when its context ends", lockContextsEnd},
	}},
	{"Watcher", is[bearer.Watcher], []rule{
		{"it begins with a heartbeat and has one each second", heartbeats},
		{"it has a heartbeat each second amid changes", heartbeatsAmidChanges},
		{"it tells of each change", changesAreTold},
		{"it tells of swaps", swapsAreTold},
		{"it tells the keys as they are", keysAreTold},
		{"a change that it tells of can be read", toldCanBeRead},
		{"it tells one change at a time", toldOneAtATime},
		{"it tells all watchers", allWatchersAreTold},
		{"it ends with its context, with an error", watchesEnd},
	}},
}

func is[T bearer.Storage](s bearer.Storage) bool {
	_, ok := s.(T)
	return ok
}
