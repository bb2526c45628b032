package dns01

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const (
	// route53Region is what the global service is signed for.
	route53Region = "us-east-1"

	// changePause is waited between two looks at a change, which takes Route 53
	// half a minute as a rule. An account has five calls a second.
	changePause = 4 * time.Second

	// changeTimeMax bounds the wait for a change to reach all name servers.
	changeTimeMax = 3 * time.Minute

	// route53AnswerMax bounds an answer of the service: one zone, one record set.
	route53AnswerMax = 256 << 10

	// valuesMost bounds the texts of one name that are carried over.
	valuesMost = 100
)

// route53Access is what it takes to speak with the service.
type route53Access struct {
	keyID, key, token string
	region            string
	endpoint          string // empty: the region's
	hostedZone        string // empty: looked up by the zone's name
	client            *http.Client
	pauseMax          time.Duration // between two attempts
}

// hostedZones changes records in Amazon Route 53.
type hostedZones struct {
	api   *route53.Client
	fixed string        // hosted zone; empty: looked up
	pause time.Duration // between two looks at a change

	turn  chan struct{}     // guards zones; a change is made of what was read before it
	zones map[string]string // id of the hosted zone by name
}

// newRoute53 makes a client that reads nothing of its environment.
func newRoute53(a route53Access) *hostedZones {
	o := route53.Options{
		Region:     a.region,
		HTTPClient: boundedClient{a.client},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: a.keyID, SecretAccessKey: a.key, SessionToken: a.token}, nil
		}),
		Retryer: awsretry.NewStandard(func(o *awsretry.StandardOptions) {
			o.MaxAttempts = attemptsMost
			o.MaxBackoff = a.pauseMax
		}),
	}
	if a.endpoint != "" {
		o.BaseEndpoint = &a.endpoint
	}
	return &hostedZones{api: route53.New(o), fixed: a.hostedZone, pause: changePause, turn: make(chan struct{}, 1), zones: map[string]string{}}
}

// boundedClient cuts answers that are longer than any that are asked for.
type boundedClient struct{ client *http.Client }

func (b boundedClient) Do(q *http.Request) (*http.Response, error) {
	a, err := b.client.Do(q)
	if err != nil {
		return nil, plain(err)
	}
	a.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(a.Body, route53AnswerMax), a.Body}
	return a, nil
}

// add adds the text to those of its name and waits until all name servers have
// it.
func (h *hostedZones) add(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeMax)
	defer cancel()
	id, err := h.change(ctx, r, func(values []string) []string {
		if slices.Contains(values, quoted(r.value)) {
			return values
		}
		return append(values, quoted(r.value))
	})
	if err != nil || id == "" {
		return inWords(err)
	}
	return inWords(h.inSync(ctx, id))
}

// remove takes the text out again; the others of its name stay.
func (h *hostedZones) remove(ctx context.Context, r record) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeMax)
	defer cancel()
	_, err := h.change(ctx, r, func(values []string) []string {
		return slices.DeleteFunc(values, func(v string) bool { return v == quoted(r.value) })
	})
	return inWords(err)
}

// change reads the texts of a name, edits them, and writes them where they
// differ. It returns the change's id; empty: nothing was to be done.
func (h *hostedZones) change(ctx context.Context, r record, edit func([]string) []string) (id string, err error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	zone, err := h.zone(ctx, r.zone)
	if err != nil {
		return "", err
	}
	set, err := h.read(ctx, zone, r.name)
	if err != nil {
		return "", err
	}
	var before []string
	if set != nil {
		for _, v := range set.ResourceRecords {
			before = append(before, aws.ToString(v.Value))
		}
	}
	after := edit(slices.Clone(before))
	action := types.ChangeActionUpsert
	switch {
	case slices.Equal(before, after):
		return "", nil
	case len(after) > valuesMost:
		return "", fmt.Errorf("%s has %d texts already", r.name, len(before))
	case len(after) == 0:
		action = types.ChangeActionDelete // exactly what is there
	default:
		set = &types.ResourceRecordSet{Name: &r.name, Type: types.RRTypeTxt, TTL: aws.Int64(int64(recordTTL.Seconds()))}
		for _, v := range after {
			set.ResourceRecords = append(set.ResourceRecords, types.ResourceRecord{Value: &v})
		}
	}
	out, err := h.api.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &zone,
		ChangeBatch:  &types.ChangeBatch{Changes: []types.Change{{Action: action, ResourceRecordSet: set}}},
	})
	if err != nil {
		return "", err
	}
	if out.ChangeInfo == nil || aws.ToString(out.ChangeInfo.Id) == "" {
		return "", errors.New("the answer names no change")
	}
	return *out.ChangeInfo.Id, nil
}

// zone returns the id of the public hosted zone of a name.
func (h *hostedZones) zone(ctx context.Context, name string) (string, error) {
	if h.fixed != "" {
		return h.fixed, nil
	}
	if id := h.zones[name]; id != "" {
		return id, nil
	}
	out, err := h.api.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: &name})
	if err != nil {
		return "", err
	}
	for _, z := range out.HostedZones {
		if strings.EqualFold(aws.ToString(z.Name), name) && (z.Config == nil || !z.Config.PrivateZone) {
			h.zones[name] = aws.ToString(z.Id)
			return h.zones[name], nil
		}
	}
	return "", fmt.Errorf("the access key sees no public hosted zone %s; set hosted_zone_id", name)
}

// read returns the TXT records of a name, or nil.
func (h *hostedZones) read(ctx context.Context, zone, name string) (*types.ResourceRecordSet, error) {
	out, err := h.api.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: &zone, StartRecordName: &name, StartRecordType: types.RRTypeTxt, MaxItems: aws.Int32(1),
	})
	if err != nil {
		return nil, err
	}
	for _, set := range out.ResourceRecordSets {
		if !strings.EqualFold(aws.ToString(set.Name), name) || set.Type != types.RRTypeTxt {
			continue
		}
		if set.AliasTarget != nil || set.SetIdentifier != nil {
			return nil, fmt.Errorf("the TXT records of %s follow a routing policy; expected plain ones", name)
		}
		return &set, nil
	}
	return nil, nil
}

// inSync waits until a change has reached all name servers.
func (h *hostedZones) inSync(ctx context.Context, id string) error {
	timer := time.NewTicker(h.pause)
	defer timer.Stop()
	for {
		out, err := h.api.GetChange(ctx, &route53.GetChangeInput{Id: &id})
		if err != nil {
			return err
		}
		if out.ChangeInfo != nil && out.ChangeInfo.Status == types.ChangeStatusInsync {
			return nil
		}
		select {
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("the change has not reached all name servers: %w", ctx.Err())
		}
	}
}

// quoted is a text as Route 53 has it. It holds no quotes: admit sees to that.
func quoted(value string) string { return `"` + value + `"` }

// inWords keeps of the library's errors what an operator can use: the service's
// own words, or its status where there are none.
func inWords(err error) error {
	answer, answered := errors.AsType[*smithyhttp.ResponseError](err)
	said, ok := errors.AsType[smithy.APIError](err)
	switch {
	case ok && answered && said.ErrorCode() == "UnknownError":
		return fmt.Errorf("the service answers with status %d", answer.HTTPStatusCode())
	case ok:
		return fmt.Errorf("the service says %s: %s", clip(said.ErrorCode()), clip(said.ErrorMessage()))
	}
	return err
}
