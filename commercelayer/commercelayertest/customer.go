package commercelayertest

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
)

// Customer is somebody who can sign in.
//
// The password does not show when a Customer is printed or logged.
type Customer struct {
	Email    string
	Password string `json:"-"`
	// ID is the customer's id in tokens and at the API. Default: made of Email.
	ID string
	// Addresses is the customer's address book. Default: empty.
	Addresses []Address
	// PastOrders is how many orders the customer has placed before the server
	// began, about a month apart, in each market that sells something; at most
	// 100. Default: none.
	PastOrders int
}

// maxPastOrdersEach is of one customer in one market.
const maxPastOrdersEach = 100

func (c Customer) String() string { return fmt.Sprintf("customer %q", c.Email) }

// Format keeps the password out of every verb.
func (c Customer) Format(f fmt.State, _ rune) { io.WriteString(f, c.String()) }

// LogValue keeps the password out of logs.
func (c Customer) LogValue() slog.Value { return slog.StringValue(c.String()) }

func (c Customer) withDefaults() Customer {
	if c.ID == "" {
		c.ID = publicID("customers", strings.ToLower(c.Email))
	}
	c.Addresses = slices.Clone(c.Addresses)
	for i := range c.Addresses {
		if a := &c.Addresses[i]; a.ID == "" {
			a.ID = publicID("addresses", c.ID+":"+strconv.Itoa(i))
		}
	}
	return c
}

func (c *Customer) validate() error {
	switch {
	case !strings.Contains(c.Email, "@"):
		return fmt.Errorf("the Email %q is not an address: use one with an @", c.Email)
	case c.Password == "":
		return fmt.Errorf("the Password of %q is empty: give it one", c.Email)
	case c.PastOrders < 0 || c.PastOrders > maxPastOrdersEach:
		return fmt.Errorf("PastOrders of %q is %d: use 0 to %d", c.Email, c.PastOrders, maxPastOrdersEach)
	}
	return validateEach("Addresses", c.Addresses, (*Address).validate,
		func(a Address) []string { return []string{a.ID} })
}
