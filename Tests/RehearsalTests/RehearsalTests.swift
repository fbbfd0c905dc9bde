// The room in virtual time, through its public door.
//
// Thread: the test's. Promise: no clock but the one that is moved.

import Testing

@Suite struct RehearsalTests {}
