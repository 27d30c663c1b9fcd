package cloudtest

import (
	"runtime"
	"sync/atomic"
)

// Memory sees how much more this process holds than at the start. What nobody holds any more is swept before each look.
type Memory struct{ start, most atomic.Uint64 }

// Start begins to look.
func (m *Memory) Start() { m.start.Store(held()) }

// Look looks once.
func (m *Memory) Look() {
	for now := held(); ; {
		before := m.most.Load()
		if now <= before || m.most.CompareAndSwap(before, now) {
			return
		}
	}
}

// Most is the most bytes that were held at a look beyond those of the start.
func (m *Memory) Most() int64 { return max(int64(m.most.Load())-int64(m.start.Load()), 0) }

func held() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
