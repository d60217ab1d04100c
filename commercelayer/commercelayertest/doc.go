// Package commercelayertest is a Commerce Layer that runs on this machine.
package commercelayertest
