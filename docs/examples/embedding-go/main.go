// Plays the golden trajectories in the WebAssembly module, written from docs/embedding.md, and prints their digests.
//
//	go run . CORE.wasm SCENARIO.json TRAJECTORIES.json
//
// A trajectory's scenario is the given one, or the fields in which it differs. A line has the trajectory's name, its
// digest, the number of decisions, and whether both are those of the file; the exit status is 1 if any is not.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/tetratelabs/wazero"
)

// trajectory is an entry of test/golden/trajectories.json; test/golden/rules.ts describes the rules.
type trajectory struct {
	Name     string
	Scenario json.RawMessage
	Seeds    []uint64
	Rule     string
	Digest   string
	NumSteps int
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: go run . CORE.wasm SCENARIO.json TRAJECTORIES.json")
	}
	files := make([][]byte, 3)
	for i := range files {
		var err error
		files[i], err = os.ReadFile(os.Args[1+i])
		check(err)
	}
	var trajectories []trajectory
	check(json.Unmarshal(files[2], &trajectories))

	runtime := wazero.NewRuntime(context.Background())
	defer runtime.Close(context.Background())
	compiled, err := runtime.CompileModule(context.Background(), files[0])
	check(err)

	numDifferent := 0
	for _, golden := range trajectories {
		c, err := newCore(runtime, compiled)
		check(err)
		s, err := scenarioOf(files[1], golden.Scenario)
		check(err)
		digest, numSteps, err := play(c, s, golden)
		check(err)
		check(c.module.Close(context.Background()))
		verdict := "as expected"
		if digest != golden.Digest || numSteps != golden.NumSteps {
			verdict = "DIFFERENT"
			numDifferent++
		}
		fmt.Println(golden.Name, digest, numSteps, verdict)
	}
	if numDifferent > 0 {
		log.Fatalf("%d of %d trajectories are different", numDifferent, len(trajectories))
	}
}

// scenarioOf is the given scenario, with the fields that a trajectory replaces.
func scenarioOf(given, replaced json.RawMessage) (s scenario, err error) {
	var id string
	var fields map[string]json.RawMessage
	if err = json.Unmarshal(given, &fields); err != nil {
		return s, err
	}
	if json.Unmarshal(replaced, &id) == nil {
		if string(fields["id"]) != string(replaced) {
			return s, fmt.Errorf("the scenario given is %s, not %s", fields["id"], replaced)
		}
	} else if err = json.Unmarshal(replaced, &fields); err != nil {
		return s, err
	}
	all, err := json.Marshal(fields)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(all, &s)
}

// play plays a trajectory in one lane. Its digest is the one that docs/model.md defines.
func play(c *core, s scenario, golden trajectory) (digest string, numSteps int, err error) {
	if err := c.addScenario(s); err != nil {
		return "", 0, err
	}
	c.write("options.numLanes", 1)
	c.write("options.replacesInvalidActions", 1)
	c.write("options.numOutputSets", 1)
	if err := c.layOut(); err != nil {
		return "", 0, err
	}
	hash := sha256.New()
	for _, seed := range golden.Seeds {
		c.write("seeds", float64(seed))
		if status := c.call("reset", 1); status < 0 {
			return "", 0, c.failure("reset", status)
		}
		var actions, latencies, costs, observations []byte
		for numEnded := int32(0); numEnded == 0; numSteps++ {
			observations = append(observations, c.bytes("outputs.observation")...)
			choose(c, golden.Rule)
			if numEnded = c.call("step"); numEnded < 0 {
				return "", 0, c.failure("step", numEnded)
			}
			actions = append(actions, c.bytes("outputs.executedAction")...)
			latencies = append(latencies, c.bytes("outputs.latencySlots")...)
			costs = append(costs, c.bytes("outputs.costSlots")...)
		}
		head := binary.LittleEndian.AppendUint64(nil, seed)
		hash.Write(binary.LittleEndian.AppendUint64(head, uint64(len(actions)/4)))
		for _, column := range [][]byte{actions, latencies, costs, observations} {
			hash.Write(column)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), numSteps, nil
}

// choose writes the action of the only lane.
func choose(c *core, rule string) {
	decisionIndex, numServers := int(c.number("outputs.decisionIndex")), int(c.number("outputs.numServers"))
	switch {
	case rule == "cheapest":
		c.call("chooseCheapest")
	case rule == "out-of-range" && decisionIndex%10 == 0:
		c.write("actions", 99)
	case rule == "in-turn":
		c.write("actions", float64(decisionIndex%(numServers+1)))
	default:
		c.write("actions", float64(decisionIndex*7%(numServers+1)))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
