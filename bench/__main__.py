"""Run every measurement, and say at the end which goals are met: ``python -m bench``."""

import sys
import time

from bench import (
    exi,
    firmware,
    firmware_serving,
    goals,
    handshakes,
    memory,
    messages,
    outage,
    plot,
    policy,
    road,
    servers,
    signing,
    startup,
    storm,
)

if __name__ == "__main__":
    began = time.time()
    road.main()
    policy.main()
    exi.main()
    if sys.platform == "linux":
        messages.main()
        plot.main()
        if servers.nginx_program():
            memory.main()
            handshakes.main()
        else:
            print("memory and handshakes are skipped: nginx isn't installed (Debian, Ubuntu: apt install nginx-light)")
        startup.main()
        storm.main()
        outage.main()
        signing.main()
        firmware_serving.main()
        firmware.main()
        print()
        print(goals.goals_table(goals.everything(messages.RESULTS.parent, began)))
