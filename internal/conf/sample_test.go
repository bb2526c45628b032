package conf

import (
	"errors"
	"strings"
)

// sampleFile is a small table with every kind of field.
type sampleFile struct {
	Version int              `conf:"version,required" doc:"version of this format" enum:"1" example:"1"`
	Strict  At[bool]         `conf:"strict" doc:"refuses what is doubtful" default:"false"`
	Listen  *sampleListen    `conf:"listen" doc:"where it listens"`
	Until   At[Date]         `conf:"until" doc:"last day"`
	Key     *Secret          `conf:"key" doc:"where the key is kept" example:"{env: KEY}"`
	Tenants Map[*sampleSite] `conf:"tenants" doc:"each customer"`
	Sets    Map[sampleSet]   `conf:"sets" doc:"lists with a name"`
	Spare   *sampleCommon    `conf:"spare" doc:"used where nothing else is said"`
	Later   Later            `conf:"fleet,backup"`
}

type sampleListen struct {
	HTTP  OneOrMany[samplePort] `conf:"http" doc:"plain listeners" example:"[\":80\"]"`
	HTTPS List[sampleDoor]      `conf:"https" doc:"listeners of the table" default:"[\":443\"]"`
}

// sampleDoor may be written as its address.
type sampleDoor struct {
	Address At[samplePort] `conf:"address,required,short" doc:"what to bind" example:":443"`
	Peers   List[string]   `conf:"peers" doc:"who may connect"`
}

// sampleSet may be written as the list of its entries.
type sampleSet struct {
	Owner   At[string]       `conf:"owner" doc:"whom to ask"`
	Entries List[sampleHost] `conf:"entries,short" doc:"what is in it"`
}

type sampleSite struct {
	Pos          Pos
	Hosts        List[sampleHost]  `conf:"hosts,required" doc:"names it answers to" example:"[shop.example.com]"`
	sampleCommon                   // inlined
	Groups       OneOrMany[string] `conf:"groups" doc:"what it takes from elsewhere"`
	Weights      Map[int]          `conf:"weights" doc:"share of each backend"`
	Plain        string            `conf:"plain" doc:"text without a position"`
	Open         bool              `conf:"open" doc:"a flag without a position"`
	Status       At[string]        `conf:"status" doc:"answer to strangers" enum:"403|404|handshake" default:"403"`
	Levels       List[int]         `conf:"levels" doc:"some numbers" enum:"1|2|3"`
	Set          Map[At[string]]   `conf:"set" doc:"fields to set"`
	_            Later             `conf:"health"`
}

// sampleHost contains itself by way of its routes.
type sampleHost struct {
	Host At[string] `conf:"host,required,short" doc:"the name"`
	sampleCommon
	Routes Map[sampleHost] `conf:"routes" doc:"by prefix"`
}

type sampleCommon struct {
	Timeouts *sampleTimeouts `conf:"timeouts" doc:"how long to wait"`
	Body     At[Size]        `conf:"body" doc:"largest body" default:"64MiB" example:"10MiB"`
}

// CheckConf has an opinion about two keys together.
func (c *sampleCommon) CheckConf(p Pos, r *Report) {
	if c.Timeouts != nil && c.Body.Set() && c.Body.V == 0 {
		r.Fault(p, "", "timeouts without a body; expected both or none")
	}
}

type sampleTimeouts struct {
	Connect   At[Duration] `conf:"connect" doc:"to reach a backend" default:"3s" example:"500ms"`
	FirstByte At[Duration] `conf:"first_byte" doc:"until it begins to answer" default:"60s"`
}

// samplePort is a scalar of another package: ":443".
type samplePort string

func (p *samplePort) ParseConf(text string) error {
	number, ok := strings.CutPrefix(text, ":")
	if !ok {
		return &Refusal{"\"" + text + "\" is not an address", "write it like :443"}
	}
	if number == "" {
		return errors.New("empty port; expected a number")
	}
	*p = samplePort(text)
	return nil
}

func (*samplePort) ConfType() Type {
	return Type{Name: "address", Pattern: "^:[0-9]+$", Example: ":443"}
}
