package tokenendpoint

// LoopbackOnly is for tests of a transport that the package keeps for itself.
var LoopbackOnly = loopbackOnly
