// Writes a scenario into the module, field by field.

package main

import "encoding/json"

// bounds are the two ends of a range.
type bounds struct{ Min, Max float64 }

// scenario has the fields of the scenario schema. What can be given in several ways stays as it was written.
type scenario struct {
	NumServers, ServerCpuGHz                        json.RawMessage
	Users                                           struct{ Count, PerServer float64 }
	LocalCpuGHz, SlotSeconds, DensityGcyclesPerMbit float64
	TaskSizeMbit                                    bounds
	Arrivals                                        struct {
		Process                                                     string
		Probability, RatePerSlot, BusyProbability, QuietProbability float64
		MeanBusySlots, MeanQuietSlots                               float64
	}
	Uplink                              struct{ MeanRateMbps, MeanSnrDb, MinRateMbps float64 }
	Churn                               *struct{ LeaveProbability, ReturnProbability float64 }
	DeadlineSlots, DeadlinePenaltySlots float64
	Service                             string
	HistorySlots, EpisodeSlots          float64
	LookAhead                           struct {
		NumSamples, Weight float64
		SizeFactor         bounds
		Mode, Rates        string
	}
}

// addScenario hands a scenario in. The instance must be a fresh one, in which all fields are 0.
func (c *core) addScenario(s scenario) error {
	c.writeServers(s)
	c.writeArrivals(s)
	if s.Churn != nil {
		c.write("scenario.hasChurn", 1)
		c.write("scenario.leaveProbability", s.Churn.LeaveProbability)
		c.write("scenario.returnProbability", s.Churn.ReturnProbability)
	}
	for name, number := range map[string]float64{
		"numUsers":              s.Users.Count,
		"usersPerServer":        s.Users.PerServer,
		"localCpuGHz":           s.LocalCpuGHz,
		"slotSeconds":           s.SlotSeconds,
		"densityGcyclesPerMbit": s.DensityGcyclesPerMbit,
		"minSizeMbit":           s.TaskSizeMbit.Min,
		"maxSizeMbit":           s.TaskSizeMbit.Max,
		"meanRateMbps":          s.Uplink.MeanRateMbps,
		"meanSnrDb":             s.Uplink.MeanSnrDb,
		"minRateMbps":           s.Uplink.MinRateMbps,
		"deadlineSlots":         s.DeadlineSlots,
		"deadlinePenaltySlots":  s.DeadlinePenaltySlots,
		"isWorkConserving":      flag(s.Service == "work-conserving"),
		"historySlots":          s.HistorySlots,
		"episodeSlots":          s.EpisodeSlots,
		"numSamples":            s.LookAhead.NumSamples,
		"weight":                s.LookAhead.Weight,
		"minSizeFactor":         s.LookAhead.SizeFactor.Min,
		"maxSizeFactor":         s.LookAhead.SizeFactor.Max,
		"isSequential":          flag(s.LookAhead.Mode == "sequential"),
		"isResampled":           flag(s.LookAhead.Rates == "resampled"),
	} {
		c.write("scenario."+name, number)
	}
	if index := c.call("addScenario"); index < 0 {
		return c.failure("addScenario", index)
	}
	return nil
}

func (c *core) writeServers(s scenario) {
	var count float64
	var list []float64
	var limits bounds
	if json.Unmarshal(s.NumServers, &count) == nil {
		c.write("scenario.numServersKind", 0)
		c.write("scenario.minServers", count)
	} else if json.Unmarshal(s.NumServers, &list) == nil {
		c.write("scenario.numServersKind", 1)
		c.write("scenario.minServers", 1)
		c.write("scenario.numServersChoices", float64(len(list)))
		c.write("scenario.serverChoices", list...)
	} else if json.Unmarshal(s.NumServers, &limits) == nil {
		c.write("scenario.numServersKind", 2)
		c.write("scenario.minServers", limits.Min)
		c.write("scenario.maxServers", limits.Max)
	}
	if json.Unmarshal(s.ServerCpuGHz, &list) == nil {
		c.write("scenario.cpuKind", 1)
		c.write("scenario.numCpus", float64(len(list)))
		c.write("scenario.serverCpuGHz", list...)
	} else if json.Unmarshal(s.ServerCpuGHz, &limits) == nil {
		c.write("scenario.cpuKind", 2)
		c.write("scenario.minCpuGHz", limits.Min)
		c.write("scenario.maxCpuGHz", limits.Max)
	}
}

func (c *core) writeArrivals(s scenario) {
	switch s.Arrivals.Process {
	case "bernoulli":
		c.write("scenario.arrivalProcess", 0)
		c.write("scenario.arrivalProbability", s.Arrivals.Probability)
	case "poisson":
		c.write("scenario.arrivalProcess", 1)
		c.write("scenario.ratePerSlot", s.Arrivals.RatePerSlot)
	case "bursty":
		c.write("scenario.arrivalProcess", 2)
		c.write("scenario.arrivalProbability", s.Arrivals.BusyProbability)
		c.write("scenario.quietProbability", s.Arrivals.QuietProbability)
		c.write("scenario.meanBusySlots", s.Arrivals.MeanBusySlots)
		c.write("scenario.meanQuietSlots", s.Arrivals.MeanQuietSlots)
	}
}

func flag(isSet bool) float64 {
	if isSet {
		return 1
	}
	return 0
}
