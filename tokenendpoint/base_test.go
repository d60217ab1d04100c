package tokenendpoint_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/bearerkit/bearer/tokenendpoint"
)

// resolveTo makes every name resolve to 192.0.2.1, an address that nobody has.
func resolveTo(t *testing.T) {
	answer := func(c net.Conn) {
		defer c.Close()
		for {
			var size [2]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(c, query); err != nil {
				return
			}
			end := 12
			for query[end] != 0 {
				end += int(query[end]) + 1
			}
			question := query[12 : end+5]
			reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
			if question[len(question)-3] == 1 { // type A
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1)
			}
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
		}
	}
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go answer(server)
		return client, nil
	}}
}

// A name below localhost is a loopback name to us. That a resolver thinks
// otherwise must not send the secret abroad.
func TestPlainHTTPStaysOnThisMachine(t *testing.T) {
	resolveTo(t)
	c, err := tokenendpoint.New("http://auth.localhost:4747/token", &tokenendpoint.Options{ClientID: "c", ClientSecret: "s3cr3t"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Token(t.Context(), refresh)
	var e *tokenendpoint.Error
	if !errors.As(err, &e) || e.Attempts != 1 || e.MayHaveActed || !strings.Contains(err.Error(), "use https") {
		t.Errorf("error = %v, want one after 1 attempt that says to use https", err)
	}
}
