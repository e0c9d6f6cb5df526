from tests.system.test_probe import *
from tests.system.test_probe2 import ready, L
import ssl
for n in [n for n in globals() if n.startswith("test_")]: del globals()[n]

async def test_n_resume_over_kill(deployment, backend, site, tmp_path):
    deployment.configure(conf(site)); await deployment.start()
    big=bytes(range(256))*4*1024*40
    await uploaded(deployment,L,site.pki.ec.sign(big),big)
    st=await new_station(deployment,site,"n1","ocpp2.0.1",tmp_path); st.tells=()
    try:
      async with st.online():
        await backend.joined("n1")
        await backend.call("n1","UpdateFirmware",{"location":L,"retrieveDate":"1970-01-01T00:00:00Z"})
        o=(await st.expect("UpdateFirmware")); show(o["firmware"]["retrieveDateTime"])
        await st.tell("Downloading",o["requestId"])
        loc=o["firmware"]["location"]; tls=ssl.create_default_context(cadata="\n".join(st.roots))
        async with aiohttp.ClientSession() as s:
            async with s.get(loc.replace(PUBLIC_URL,f"https://localhost:{deployment.port('https')}"),ssl=tls) as r:
                got=await r.content.readexactly(1_000_000); show(r.headers.get("ETag"), r.headers.get("Accept-Ranges"))
                etag=r.headers.get("ETag")
                await deployment.stop(signal.SIGKILL)
    except Exception as e: show("exc",repr(e)[:100])
    await deployment.start()
    async with st.online(boots=False):
        async with aiohttp.ClientSession() as s:
            async with s.get(loc.replace(PUBLIC_URL,f"https://localhost:{deployment.port('https')}"),ssl=tls,headers={"Range":"bytes=1000000-","If-Range":etag or ""}) as r:
                rest=await r.read(); show(r.status, got+rest==big)
        await st.tell("Installed",o["requestId"])
        await asyncio.sleep(.3)
        show("told again?", [a for a,p in st.asked]); show([u["state"] for u in await updates_of(deployment,"n1")])
        async with aiohttp.ClientSession() as s:
            async with s.get(loc.replace(PUBLIC_URL,f"https://localhost:{deployment.port('https')}"),ssl=tls) as r: show("after Installed", r.status)

async def test_o_kill_at_order(deployment, backend, site, tmp_path):
    # killed right after the answer to the backend; image must be fetched
    deployment.configure(conf(site,ext=True)); await deployment.start()
    s=site.pki.ec.sign(IMAGE)
    gate=asyncio.Event()
    loc=site.offer("slow.bin")
    orig=site.images["slow.bin"]
    site.images["slow.bin"]=orig
    st=await new_station(deployment,site,"o1","ocpp1.6",tmp_path); st.tells=SECURE
    try:
      async with st.online():
        await backend.joined("o1")
        show(await backend.call("o1","SignedUpdateFirmware",signed_order(loc,s)))
        await deployment.stop(signal.SIGKILL)
    except BaseException as e: show("exc",repr(e)[:100])
    await drain(backend,.2)
    show("asked before kill", [a for a,p in st.asked])
    await deployment.start()
    async with st.online(boots=False):
        await backend.joined("o1"); show(await drain(backend,3))
        show([(u["state"],u["status"],u["reason"]) for u in await updates_of(deployment,"o1")])
        st.answers["ExtendedTriggerMessage"]={"status":"Accepted"}
        show(await backend.call("o1","ExtendedTriggerMessage",{"requestedMessage":"FirmwareStatusNotification"}))
        await st.call("SignedFirmwareStatusNotification",{"status":"Idle"}); show(await drain(backend,1))

async def test_p_station_removed_and_back(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site)
    st=await new_station(deployment,site,"p1","ocpp2.0.1",tmp_path); st.tells=SECURE
    async with st.online(): await backend.joined("p1")
    show((await deployment.api("POST","stations/p1/firmware",{"image_id":i}))[0])
    await asyncio.sleep(.5)
    show(await deployment.api("DELETE","stations/p1"))
    await asyncio.sleep(.5)
    show(await deployment.api("GET","stations/p1/firmware"))
    st=await new_station(deployment,site,"p1","ocpp2.0.1",tmp_path); st.tells=SECURE
    async with st.online():
        await backend.joined("p1"); await asyncio.sleep(1); show([a for a,p in st.asked]); show([(u["state"],u["reason"]) for u in await updates_of(deployment,"p1")])
