package tenancy

type memory struct{}
