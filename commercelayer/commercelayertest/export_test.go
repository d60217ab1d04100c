package commercelayertest

// Held is how many tokens the server keeps.
func (s *Server) Held() int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return len(s.tokens.access) + len(s.tokens.refresh)
}
