from tests.system.test_probe import *
from tests.system.test_probe2 import ready, L
for n in [n for n in globals() if n.startswith("test_")]: del globals()[n]

async def test_k_campaign_kill(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site)
    sts=[]
    for n in range(6):
        st=await new_station(deployment,site,f"k{n}","ocpp2.0.1" if n%2 else "ocpp1.6",tmp_path); st.tells=(); sts.append(st)
    killed=asyncio.Event()
    async def kill_at(action):
        if action.endswith("UpdateFirmware") and not killed.is_set():
            killed.set(); deployment.signal(signal.SIGKILL)
    from contextlib import AsyncExitStack
    async def session(st, boots, stop):
        try:
            async with st.online(boots=boots): await stop.wait()
        except BaseException as e: show(st.identity, "gone", repr(e)[:150])
    stop=asyncio.Event()
    for st in sts: st.before_answer=kill_at
    tasks=[asyncio.create_task(session(st,True,stop)) for st in sts]
    for st in sts: await backend.joined(st.identity)
    show(await deployment.api("POST","firmware/campaigns",{"name":"c1","image_id":i,"stations":[st.identity for st in sts],"batch_size":3,"halt_above":100}))
    try: await asyncio.wait_for(killed.wait(),15)
    except TimeoutError: show("no kill"); show(await deployment.api("GET","firmware/campaigns"))
    await asyncio.sleep(1); stop.set(); await asyncio.gather(*tasks, return_exceptions=True)
    await deployment.stop(signal.SIGKILL)
    show("before", [(st.identity,[p["requestId"] for a,p in st.asked if a.endswith("UpdateFirmware")]) for st in sts])
    await deployment.start()
    stop=asyncio.Event()
    for st in sts: st.before_answer=None; st.tells=SECURE
    tasks=[asyncio.create_task(session(st,False,stop)) for st in sts]
    async def look():
        r=await deployment.api("GET","firmware/campaigns/1"); return r[1]
    try: show(await until(look, lambda r: r.get("state")=="done"))
    except BaseException as e: show(repr(e), await look())
    show("after", [(st.identity,st.loaded==IMAGE,[p["requestId"] for a,p in st.asked if a.endswith("UpdateFirmware")]) for st in sts])
    show(await deployment.api("GET","firmware/campaigns/1/stations"))
    show([l for l in deployment.log.splitlines() if '"error"' in l or "raceback" in l][-8:])
    stop.set(); await asyncio.gather(*tasks, return_exceptions=True)

async def test_l_plain_flip(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site)
    st=await new_station(deployment,site,"plain-9","ocpp1.6",tmp_path); st.tells=(); st.silent_at="UpdateFirmware"
    try:
      async with st.online():
        await backend.joined("plain-9")
        await backend.call("plain-9","UpdateFirmware",{"location":L,"retrieveDate":"2036-01-01T00:00:00Z"})
        o=await st.expect("UpdateFirmware"); show(o)
        await deployment.stop(signal.SIGKILL)
    except Exception as e: show("exc",repr(e))
    deployment.configure(lambda t: t["firmware"].pop("without_signature"))
    await deployment.start(); st.silent_at=None
    async with st.online(boots=False):
        await asyncio.sleep(2)
        show(st.asked[-2:]); show(await updates_of(deployment,"plain-9"))
        show([l for l in deployment.log.splitlines() if 'rror' in l or "raceback" in l or "refus" in l][-8:])

async def test_m_first_link_after_resend(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site)
    st=await new_station(deployment,site,"m1","ocpp2.0.1",tmp_path); st.tells=(); st.silent_at="UpdateFirmware"
    try:
      async with st.online():
        await backend.joined("m1")
        await backend.call("m1","UpdateFirmware",{"location":L,"retrieveDate":AT})
        o=await st.expect("UpdateFirmware")
        await deployment.stop(signal.SIGKILL)
    except Exception as e: show("exc",repr(e))
    await deployment.start(); st.silent_at=None; st.asked.clear()
    async with st.online(boots=False):
        o2=await st.expect("UpdateFirmware"); show(o["requestId"],o2["requestId"])
        await asyncio.sleep(.5)
        show("first link", len(await st._load(o["firmware"]["location"])))
    # rejecting boot
    backend.answers["BootNotification"]={"status":"Pending","currentTime":AT,"interval":5}
    st2=await new_station(deployment,site,"m2","ocpp2.0.1",tmp_path); st2.tells=()
    async with st2.online() as b:
        show(b)
        show(await deployment.api("POST","stations/m2/firmware",{"image_id":i}))
        await asyncio.sleep(1); show(await updates_of(deployment,"m2"), [a for a,p in st2.asked])
        backend.answers.pop("BootNotification")
        show((await st2.call("BootNotification", st2.boot))[2]); await asyncio.sleep(1)
        show([u["state"] for u in await updates_of(deployment,"m2")], [a for a,p in st2.asked])
