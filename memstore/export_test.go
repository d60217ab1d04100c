package memstore

// Size is what all values take together.
func (s *Store) Size() int { return int(s.entries.WeightedSize()) }

// Locks is how many locks are kept, also some whose lease has passed.
func (s *Store) Locks() int {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	return len(s.locks.held)
}

// Watched reports whether anybody watches.
func (s *Store) Watched() bool { return s.feed.watchers.Load() != nil }

// Dropper returns a function that drops the value which is under key now.
func (s *Store) Dropper(key string) func() {
	found, _ := s.entries.GetEntryQuietly(key)
	return func() { s.drop(key, found.Value) }
}
