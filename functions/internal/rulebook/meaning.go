package rulebook

import "github.com/retentionops/retentionops/functions"

func (p *proof) meaning() {}

type TierScore struct{ Tier functions.Tier }
