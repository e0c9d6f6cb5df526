"""Run every measurement and print one line each: ``python -m bench``."""

import sys

from bench import end_to_end, exi, firmware, firmware_serving, handshakes, outage, policy, road, signing, storm

if __name__ == "__main__":
    road.main()
    policy.main()
    exi.main()
    if sys.platform == "linux":
        end_to_end.main()
        storm.main()
        outage.main()
        handshakes.main()
        signing.main()
        firmware_serving.main()
        firmware.main()
