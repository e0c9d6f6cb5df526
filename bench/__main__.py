"""Run every measurement and print one line each: ``python -m bench``."""

import sys

from bench import exi, firmware, firmware_serving, handshakes, messages, outage, policy, road, signing, storm

if __name__ == "__main__":
    road.main()
    policy.main()
    exi.main()
    if sys.platform == "linux":
        messages.main()
        storm.main()
        outage.main()
        handshakes.main()
        signing.main()
        firmware_serving.main()
        firmware.main()
