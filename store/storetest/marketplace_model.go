package storetest

import "testing"

func checkMarketModel(t *testing.T, replicas []MarketplaceStore) {}
