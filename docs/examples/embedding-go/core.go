// The module as a host sees it: an instance, its memory map, and its calls.

package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

const (
	interfaceVersion = 1
	needsRoom        = -1
	fieldBytes       = 64
	pageBytes        = 65536
)

// field is an entry of the memory map: where numbers stand, of which type, and how many.
type field struct {
	address uint32
	kind    string
	count   uint32
}

// core is an instance of the module, with memory of its own: room for one batch.
type core struct {
	module api.Module
	fields map[string]field
}

func newCore(runtime wazero.Runtime, compiled wazero.CompiledModule) (*core, error) {
	// without a name, so that there can be many instances
	module, err := runtime.InstantiateModule(context.Background(), compiled, wazero.NewModuleConfig().WithName(""))
	if err != nil {
		return nil, err
	}
	c := &core{module: module}
	if version := c.call("interfaceVersion"); version != interfaceVersion {
		return nil, fmt.Errorf("the core has interface %d, not %d", version, interfaceVersion)
	}
	c.readMap()
	return c, nil
}

// layOut makes the batch of the scenarios and options that were written.
func (c *core) layOut() error {
	numBytes := c.numBytes("requiredBytes")
	if numBytes < 0 {
		return c.failure("requiredBytes", int32(numBytes))
	}
	c.growTo(numBytes)
	if status := c.call("create"); status < 0 {
		return c.failure("create", status)
	}
	c.readMap()
	return nil
}

// call calls a function whose arguments and result are 32-bit integers, with the room that it asks for.
func (c *core) call(name string, arguments ...int32) int32 {
	words := make([]uint64, len(arguments))
	for i, argument := range arguments {
		words[i] = api.EncodeI32(argument)
	}
	for {
		if status := api.DecodeI32(c.invoke(name, words...)); status != needsRoom {
			return status
		}
		c.growTo(c.numBytes("neededBytes"))
	}
}

// numBytes calls one of the functions that count bytes, whose result is a double.
func (c *core) numBytes(name string) float64 { return api.DecodeF64(c.invoke(name)) }

// invoke calls a function; 0 if it has no result.
func (c *core) invoke(name string, words ...uint64) uint64 {
	results, err := c.module.ExportedFunction(name).Call(context.Background(), words...)
	if err != nil {
		panic(fmt.Sprintf("%s has trapped, so the batch cannot be used any longer: %v", name, err))
	}
	if len(results) == 0 {
		return 0
	}
	return results[0]
}

// failure says why a call answered less than 0.
func (c *core) failure(name string, status int32) error {
	text := strings.TrimRight(string(c.bytes("failure.name")), "\x00")
	return fmt.Errorf("%s answered %d: %s %d is %v, not %v to %v", name, status, text, int(c.number("failure.index")),
		c.number("failure.value"), c.number("failure.low"), c.number("failure.high"))
}

func (c *core) growTo(numBytes float64) {
	memory := c.module.Memory()
	numPages := math.Ceil((numBytes - float64(memory.Size())) / pageBytes)
	if numPages <= 0 {
		return
	}
	if _, ok := memory.Grow(uint32(numPages)); !ok {
		panic(fmt.Sprintf("there is no memory of %.0f bytes", numBytes))
	}
}

// readMap asks the module where its fields stand.
func (c *core) readMap() {
	c.fields = map[string]field{}
	table, count := uint32(c.call("fieldTable")), uint32(c.call("numFields"))
	for at := table; at < table+count*fieldBytes; at += fieldBytes {
		entry := c.read(at, fieldBytes)
		name, kind := strings.TrimRight(string(entry[:40]), "\x00"), strings.TrimRight(string(entry[44:48]), "\x00")
		rows, columns := binary.LittleEndian.Uint32(entry[48:]), binary.LittleEndian.Uint32(entry[52:])
		size := rows * columns
		if columns == 0 {
			size = max(rows, 1)
		}
		c.fields[name] = field{binary.LittleEndian.Uint32(entry[40:]), kind, size}
	}
}

func (c *core) read(address, numBytes uint32) []byte {
	bytes, ok := c.module.Memory().Read(address, numBytes)
	if !ok {
		panic(fmt.Sprintf("no memory at %d", address))
	}
	return bytes
}

// bytes is a view of a field, until memory grows.
func (c *core) bytes(name string) []byte {
	f, ok := c.fields[name]
	if !ok {
		panic("the core has no field " + name)
	}
	width := uint32(f.kind[2] - '0')
	return c.read(f.address, f.count*width)
}

// number reads the first number of a field.
func (c *core) number(name string) float64 {
	bytes := c.bytes(name)
	switch c.fields[name].kind {
	case "<f8":
		return math.Float64frombits(binary.LittleEndian.Uint64(bytes))
	case "<i4":
		return float64(int32(binary.LittleEndian.Uint32(bytes)))
	default:
		panic(name + " is of another type")
	}
}

// write writes the first numbers of a field.
func (c *core) write(name string, numbers ...float64) {
	bytes := c.bytes(name)
	for i, number := range numbers {
		switch c.fields[name].kind {
		case "<f8":
			binary.LittleEndian.PutUint64(bytes[8*i:], math.Float64bits(number))
		case "<i4":
			binary.LittleEndian.PutUint32(bytes[4*i:], uint32(int32(number)))
		default:
			panic(name + " is of another type")
		}
	}
}
