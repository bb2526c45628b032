package gateway

import (
	"fmt"
	"strconv"

	"gatehouse/internal/conf"
)

// Port is a TCP port.
type Port uint16

// ParseConf sets the port from decimal digits.
func (p *Port) ParseConf(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%q is not a port; write a number from 1 to 65535", text)
	}
	*p = Port(n)
	return nil
}

// ConfType describes the type in the schema and the reference.
func (*Port) ConfType() conf.Type {
	return conf.Type{Name: "port", Pattern: "^[1-9][0-9]{0,4}$", Example: "443"}
}
