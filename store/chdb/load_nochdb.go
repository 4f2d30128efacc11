//go:build nochdb

package chdb

// load refuses: a program that can load libraries needs the system's linker, so a static one cannot.
func load(string) (*lib, error) { return nil, ErrLeftOut }
