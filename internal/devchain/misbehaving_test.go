package devchain_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/stretchr/testify/require"

	"github.com/v402/v402/internal/devchain"
)

// funded is a till for another token, of which the payer has a million units.
func funded(t *testing.T, token common.Address) *till {
	t.Helper()
	d := newTill(t, token)
	require.NoError(t, d.chain.MintOf(token, d.chain.Payer.Address, big.NewInt(1_000_000)))
	return d
}

func (d *till) received() int64 {
	d.t.Helper()
	units, err := d.chain.BalanceOf(d.token, d.chain.PayTo.Address)
	require.NoError(d.t, err)
	return units.Int64()
}

func TestAPlainTokenKnowsNoAuthorizations(t *testing.T) {
	t.Parallel()
	d := funded(t, devchain.PlainTokenAddress)
	require.Error(t, d.try(d.chain.Relayer.Address, d.exact(d.authorization())))
}

func TestASilentTokenSucceedsWithoutPayingTwice(t *testing.T) {
	t.Parallel()
	d := funded(t, devchain.SilentTokenAddress)
	a := d.authorization()
	require.Len(t, d.submit(d.exact(a)).Logs, 2)
	second := d.submit(d.exact(a))
	require.Equal(t, types.ReceiptStatusSuccessful, second.Status)
	require.Empty(t, second.Logs)
	require.EqualValues(t, 10_000, d.received())
}

func TestAMisnamedTokenSignsUnderAnotherName(t *testing.T) {
	t.Parallel()
	d := funded(t, devchain.MisnamedTokenAddress)
	require.Equal(t, "USD Coin", text(d.read("name()")))
	require.Equal(t, d.domain().Separator().String(), common.BytesToHash(d.read("DOMAIN_SEPARATOR()")).Hex())
}

func TestAFeeTokenPaysLessThanWasSigned(t *testing.T) {
	t.Parallel()
	d := funded(t, devchain.FeeTokenAddress)
	require.Equal(t, types.ReceiptStatusSuccessful, d.submit(d.exact(d.authorization())).Status)
	require.EqualValues(t, 9_900, d.received())
}

func TestAYesTokenSaysYesAndDoesNothing(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.YesTokenAddress)
	got := d.submit(d.exact(d.authorization()))
	require.Equal(t, types.ReceiptStatusSuccessful, got.Status)
	require.Empty(t, got.Logs)
}

const multicallABI = `[
 {"type":"function","name":"aggregate3","stateMutability":"payable",
  "inputs":[{"name":"calls","type":"tuple[]","components":[{"name":"target","type":"address"},{"name":"allowFailure","type":"bool"},{"name":"callData","type":"bytes"}]}],
  "outputs":[{"name":"","type":"tuple[]","components":[{"name":"success","type":"bool"},{"name":"returnData","type":"bytes"}]}]},
 {"type":"function","name":"tryAggregate","stateMutability":"payable",
  "inputs":[{"name":"requireSuccess","type":"bool"},{"name":"calls","type":"tuple[]","components":[{"name":"target","type":"address"},{"name":"callData","type":"bytes"}]}],
  "outputs":[{"name":"","type":"tuple[]","components":[{"name":"success","type":"bool"},{"name":"returnData","type":"bytes"}]}]},
 {"type":"function","name":"getEthBalance","stateMutability":"view","inputs":[{"name":"a","type":"address"}],"outputs":[{"name":"","type":"uint256"}]},
 {"type":"function","name":"getChainId","stateMutability":"view","inputs":[],"outputs":[{"name":"","type":"uint256"}]}
]`

type call3 struct {
	Target       common.Address
	AllowFailure bool
	CallData     []byte
}

type callResult struct {
	Success    bool
	ReturnData []byte
}

func TestTheMulticallAnswersManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	d := newTill(t, devchain.TokenAddress)
	contract, err := abi.JSON(strings.NewReader(multicallABI))
	require.NoError(t, err)
	ask := func(out any, method string, args ...any) error {
		data, err := contract.Pack(method, args...)
		require.NoError(t, err)
		to := devchain.MulticallAddress
		answer, err := d.client.CallContract(t.Context(), ethereum.CallMsg{To: &to, Data: data}, nil)
		if err != nil {
			return err
		}
		return contract.UnpackIntoInterface(out, method, answer)
	}
	balanceCall := call("balanceOf(address)", d.chain.Payer.Address[:])
	spoiled := d.authorization()
	spoiled.ValidBefore = 1

	var results []callResult
	require.NoError(t, ask(&results, "aggregate3", []call3{
		{Target: d.token, CallData: balanceCall},
		{Target: d.token, AllowFailure: true, CallData: d.exact(spoiled)},
		{Target: d.token, AllowFailure: true, CallData: d.exact(d.authorization())},
	}))
	require.Len(t, results, 3)
	require.True(t, results[0].Success)
	require.EqualValues(t, 1_000_000_000_000, new(big.Int).SetBytes(results[0].ReturnData).Int64())
	require.False(t, results[1].Success)
	require.Contains(t, string(results[1].ReturnData), "FiatTokenV2: authorization is expired")
	require.True(t, results[2].Success)

	err = ask(&results, "aggregate3", []call3{{Target: d.token, CallData: d.exact(spoiled)}})
	require.ErrorContains(t, err, "Multicall3: call failed")

	require.NoError(t, ask(&results, "tryAggregate", false, []struct {
		Target   common.Address
		CallData []byte
	}{{d.token, balanceCall}, {d.token, d.exact(spoiled)}}))
	require.True(t, results[0].Success)
	require.False(t, results[1].Success)

	var number *big.Int
	require.NoError(t, ask(&number, "getEthBalance", d.chain.Relayer.Address))
	require.Positive(t, number.Sign())
	require.NoError(t, ask(&number, "getChainId"))
	require.EqualValues(t, 84532, number.Int64())
}
