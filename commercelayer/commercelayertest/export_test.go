package commercelayertest

import "time"

// Family is how many tokens are held for the sign-in of a refresh token.
func (s *Server) Family(refreshToken string) int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	f := s.tokens.refresh[refreshToken].family
	return len(f.access) + len(f.refresh)
}

// Limited counts a token request of an address and tells whether it is refused.
func (s *Server) Limited(address string) bool { return !s.limit.allow(address, time.Now()) }

// Addresses is how many addresses the rate limit remembers.
func (s *Server) Addresses() int {
	s.limit.mu.Lock()
	defer s.limit.mu.Unlock()
	return len(s.limit.seen)
}

// Held is how many tokens the server keeps.
func (s *Server) Held() int {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	return len(s.tokens.access) + len(s.tokens.refresh)
}
