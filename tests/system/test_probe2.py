from tests.system.test_probe import *
from tests.system import test_probe as P
for n in [n for n in globals() if n.startswith("test_")]: del globals()[n]
L="https://firmware.example.com/fw.bin"

async def ready(deployment, site, **kw):
    deployment.configure(conf(site,**kw)); await deployment.start()
    s=site.pki.ec.sign(IMAGE)
    return s, await uploaded(deployment,L,s)

async def test_g_restart_immediate_status(deployment, backend, site, tmp_path):
    await ready(deployment, site)
    st=await new_station(deployment,site,"g1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("g1")
        await backend.call("g1","UpdateFirmware",{"location":L,"retrieveDate":AT})
        o=await st.expect("UpdateFirmware"); await st.tell("Installing",o["requestId"])
    await drain(backend,1)
    # reboot: comes back and tells at once
    async with st.online(boots=False):
        show(await st.tell("Installed",o["requestId"]))
        show("after reconnect", await drain(backend,2))
    await deployment.stop(signal.SIGKILL); await deployment.start()
    async with st.online(boots=False):
        show(await st.tell("InstallRebooting",o["requestId"]))
        show("after kill", await drain(backend,2))

async def test_h_two_at_once_and_huge(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site, ext=True)
    st=await new_station(deployment,site,"h1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("h1")
        # two at once: raw frames
        c=backend.connections["h1"]
        fut=[asyncio.create_task(backend.call("h1","SignedUpdateFirmware",signed_order(L,s,r))) for r in (7,)]
        fut+= [asyncio.create_task(deployment.api("POST","stations/h1/firmware",{"image_id":i}))]
        for f in fut: show(await f)
        await asyncio.sleep(1)
        show([ (a,p["requestId"]) for a,p in st.asked if a=="UpdateFirmware"])
        show([(u["id"],u["source"],u["state"],u["status"],u["reason"]) for u in await updates_of(deployment,"h1")])
        show(await drain(backend,1))
        for bad in (2**31, 2**70, -1, 0):
            o=signed_order(L,s,7); o["requestId"]=bad
            show("rid",bad,await backend.call("h1","SignedUpdateFirmware",o))
        for k in ("retries","retryInterval"):
          for bad in (-1, 2**70):
            o=signed_order(L,s,7); o[k]=bad
            show(k,bad,await backend.call("h1","SignedUpdateFirmware",o))
        show("plain ext", await backend.call("h1","UpdateFirmware",{"location":L,"retrieveDate":"not a date"}))
        show("plain ext", await backend.call("h1","UpdateFirmware",{"location":"","retrieveDate":AT}))
        show("plain ext", await backend.call("h1","UpdateFirmware",{"location":"https://u:secretpw@firmware.example.com/fw.bin","retrieveDate":AT}))
        show(await drain(backend,1))
        show([(u["id"],u["source"],u["state"],u["status"],u["reason"]) for u in await updates_of(deployment,"h1")])
    show([l for l in deployment.log.splitlines() if "rror" in l or "raceback" in l][-8:])

async def test_i_offline_rehash(deployment, backend, site, tmp_path):
    s,i=await ready(deployment, site)
    st=await new_station(deployment,site,"i1","ocpp2.0.1",tmp_path); st.tells=()
    async with st.online():
        await backend.joined("i1")
    show("backend leg of offline station", "i1" in backend.connections)
    await asyncio.sleep(2)
    show("after 2s", "i1" in backend.connections)
    show(await deployment.api("POST","stations/i1/firmware",{"image_id":i}))
    await asyncio.sleep(1)
    show([(u["id"],u["source"],u["state"],u["status"],u["reason"]) for u in await updates_of(deployment,"i1")])

async def test_j_201_backend(deployment, backend, site, tmp_path):
    await backend.close(); backend.subprotocol="ocpp2.0.1"; await backend.open()
    deployment.configure(lambda t: t["backends"]["legacy"].update(protocol="ocpp2.0.1"))
    s,i=await ready(deployment, site)
    st=await new_station(deployment,site,"j1","ocpp2.0.1",tmp_path); st.tells=SECURE
    async with st.online():
        await backend.joined("j1")
        show(await backend.call("j1","UpdateFirmware",signed_order(L,s,7)))
        show(await drain(backend,2)); show(st.loaded==IMAGE)
        u=signed_order(L,s,8); del u["firmware"]["signature"]; del u["firmware"]["signingCertificate"]
        show("unsigned known", await backend.call("j1","UpdateFirmware",u)); show(await drain(backend,2))
        u=signed_order("https://firmware.example.com/other.bin",s,9); del u["firmware"]["signature"]; del u["firmware"]["signingCertificate"]
        show("unsigned unknown", await backend.call("j1","UpdateFirmware",u)); show(await drain(backend,1))
        st.answers["TriggerMessage"]={"status":"Accepted"}
        show("trigger", await backend.call("j1","TriggerMessage",{"requestedMessage":"FirmwareStatusNotification"}))
        show("idle", await st.tell("Idle")); show(await drain(backend,1))
        # same request id again, after restart
        await backend.call("j1","UpdateFirmware",signed_order(L,s,7)); show("again 7",await drain(backend,2))
        show([(u["id"],u["source"],u["state"],u["status"],u["reason"]) for u in await updates_of(deployment,"j1")])
        # not yet registered requestId by station
        show("foreign rid", await st.tell("Installed", 424242)); show(await drain(backend,1))
        # backend away at the end
        st.tells=(); st.asked.clear()
        await backend.call("j1","UpdateFirmware",signed_order(L,s,11)); o=await st.expect("UpdateFirmware")
        await backend.close()
        show("away", await st.tell("Installed", o["requestId"]))
        await backend.open(); await backend.joined("j1"); show(await drain(backend,32))
